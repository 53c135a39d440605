//! Writes a photo as facerec decodes it: upright, 8-bit RGB, as PNG. `cargo run --example to_png -- PHOTO OUT.png`
//!
//! `fixtures/reference/generate.py` gives these pixels to the reference, so that both sides see the same ones.

use facerec_core::{Error, Image, Result};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [photo, out] = arguments.as_slice() else {
        return Err(Error::InvalidArgument { name: "arguments", reason: "expected PHOTO OUT.png".into() });
    };
    Image::open(photo)?.save(out)
}
