//! The one loop.

use std::process::ExitCode;

/// Runs the bridge as a program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
