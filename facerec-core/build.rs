//! Tells the crate whether FAISS was compiled for AVX2, so that the gallery can refuse an older processor with a
//! clear error instead of dying from SIGILL.

use std::env;

/// Where `cc` and `cmake` look for C++ flags, for the host triple this workspace sets them for and in general.
const FLAG_VARIABLES: [&str; 3] = ["CXXFLAGS_x86_64_unknown_linux_gnu", "CXXFLAGS_x86_64-unknown-linux-gnu", "CXXFLAGS"];

fn main() {
    println!("cargo:rustc-check-cfg=cfg(faiss_avx2)");
    println!("cargo:rerun-if-changed=build.rs");
    for variable in FLAG_VARIABLES {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let faiss = env::var_os("CARGO_FEATURE_FAISS").is_some();
    let x86_64 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    let avx2 = FLAG_VARIABLES.iter().filter_map(|name| env::var(name).ok()).any(|flags| flags.contains("-mavx2"));
    if faiss && x86_64 && avx2 {
        println!("cargo:rustc-cfg=faiss_avx2");
    }
}
