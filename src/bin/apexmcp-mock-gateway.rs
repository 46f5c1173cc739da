//! The mock gateway as a program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    apexmcp_bridge::mock::main()
}
