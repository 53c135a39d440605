//! Refusing a processor that this build of FAISS cannot run on, in words instead of SIGILL.

use crate::error::{Error, Result};

/// What is wrong with an older processor, and what to do.
const REASON: &str = "this build's search needs a processor with AVX2, FMA and F16C (2013 and later); \
                      rebuild without `-mavx2` in CXXFLAGS, or without the feature `faiss`";

/// Fails with `device_unavailable` when FAISS was compiled for more than the processor has.
pub(super) fn check() -> Result<()> {
    if is_supported() { Ok(()) } else { Err(Error::DeviceUnavailable { device: "cpu".into(), reason: REASON.into() }) }
}

#[cfg(not(faiss_avx2))]
fn is_supported() -> bool {
    true
}

#[cfg(faiss_avx2)]
fn is_supported() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

/// FAISS's global variables are set up before `main` with the instructions it was compiled for, so [`check`] would come
/// too late: this runs before them and ends the process with exit code 3.
#[cfg(all(faiss_avx2, target_os = "linux"))]
mod before_main {
    use std::io::Write;

    extern "C" fn refuse_an_older_processor() {
        if !super::is_supported() {
            // Nobody is there yet to hand an error to.
            let _ = writeln!(std::io::stderr(), "facerec: device `cpu` is not available: {}", super::REASON);
            #[allow(clippy::exit)] // the only other way out is SIGILL
            std::process::exit(3);
        }
    }

    // SAFETY: the section is the ELF list of functions that run at load time; the entry is a function of that signature,
    // which needs nothing that later entries set up. Numbered entries run before those without a number, such as C++'s.
    #[allow(unsafe_code)]
    #[used]
    #[unsafe(link_section = ".init_array.00200")]
    static ENTRY: extern "C" fn() = refuse_an_older_processor;
}
