//! Forks: the threads of ONNX Runtime and the locks of SQLite do not survive one. A forked child is told so, instead of hanging.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;

use crate::error::unusable;

/// The process that first used an engine or a gallery; 0 for none yet.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Refuses work in a process that was forked from one that had begun.
pub(crate) fn enter() -> PyResult<()> {
    if !is_forked() {
        return Ok(());
    }
    Err(unusable(&format!(
        "process {} was forked from process {}, which had used facerec, and its threads and locks did not come along; start processes \
         with multiprocessing.get_context(\"spawn\") (or \"forkserver\"), or first use facerec after the fork",
        std::process::id(),
        OWNER.load(Ordering::Relaxed)
    )))
}

/// Whether this process was forked from one that used facerec.
pub(crate) fn is_forked() -> bool {
    let own = std::process::id();
    OWNER.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed).is_err_and(|owner| owner != own)
}
