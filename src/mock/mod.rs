//! A gateway to test against.

use std::process::ExitCode;

/// Runs the mock gateway as a program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
