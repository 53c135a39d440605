//! The `facerec` program; the command itself is `facerec_core::cli`.
#![allow(missing_docs)]

use std::process::ExitCode;

fn main() -> ExitCode {
    facerec_core::cli::main(std::env::args_os()).into()
}
