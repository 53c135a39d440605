//! The `facerec` command, for `bin/facerec.js`.

use napi_derive::napi;

/// Runs the command on `args`, the first of which is its name, until it is done; returns the exit code.
#[napi(skip_typescript, catch_unwind)]
pub fn command(args: Vec<String>) -> u32 {
    facerec_core::cli::main(args.into_iter().map(Into::into)) as u32
}
