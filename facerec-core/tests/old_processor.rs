//! A processor without AVX2 is refused in words, not with SIGILL: FAISS is compiled for AVX2 in this workspace.
//!
//! The processor is emulated by `qemu-x86_64` (Debian package `qemu-user`; `scripts/setup.sh --tests` installs it).
#![allow(clippy::print_stderr)] // what was skipped is said aloud
#![cfg(all(feature = "cli", feature = "faiss", target_arch = "x86_64", target_os = "linux"))]

use std::io::ErrorKind;
use std::process::Command;

fn run_on(processor: &str) -> Option<std::process::Output> {
    let command = Command::new("qemu-x86_64").args(["-cpu", processor, env!("CARGO_BIN_EXE_facerec"), "--version"]).output();
    match command {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: qemu-x86_64 is not installed, so an older processor cannot be emulated");
            None
        }
        result => Some(result.expect("qemu starts")),
    }
}

#[test]
fn an_older_processor_is_refused_in_words() {
    let Some(old) = run_on("Nehalem") else { return };
    let message = String::from_utf8_lossy(&old.stderr);
    assert_eq!(old.status.code(), Some(3), "{message}");
    assert!(message.contains("AVX2") && message.contains("rebuild"), "{message}");
    let new = run_on("max").expect("installed, as it ran before");
    assert_eq!(new.status.code(), Some(0), "{}", String::from_utf8_lossy(&new.stderr));
}
