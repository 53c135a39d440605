//! Rust code of the gRPC services. The descriptions are read by protox, so that nobody has to install `protoc`.
#![allow(clippy::print_stdout)] // how a build script speaks to cargo

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/facerec.proto");
    let descriptions = protox::compile(["proto/facerec.proto"], ["proto"])?;
    // Pictures as `Bytes`: a call that is made again shares them instead of copying.
    tonic_prost_build::configure().bytes(".facerec.v1").compile_fds(descriptions)?;
    Ok(())
}
