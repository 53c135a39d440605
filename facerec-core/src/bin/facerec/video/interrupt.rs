//! Ctrl-C, which ends a live source in order: with its summary and its report.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::exit::Exit;

static WANTED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub(super) fn is_wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// From now on Ctrl-C asks for an end in order, and pressed again it ends the process at once.
pub(super) fn end_in_order() {
    let handler = || {
        if WANTED.swap(true, Ordering::Relaxed) {
            #[expect(clippy::exit)] // whoever presses it twice does not want to wait for an end in order
            std::process::exit(Exit::Interrupted as i32);
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!(%error, "Ctrl-C will end the command without a summary"); // a program that calls the command has a handler of its own
    }
}
