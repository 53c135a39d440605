//! Where the faces are: `cargo run --release --example detect -- group.jpg`.

use facerec_core::{Engine, Image, Result};

#[allow(clippy::print_stdout)] // an example prints
fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| ".facerec/photos/strangers/t1.jpg".into());
    let engine = Engine::new()?;
    for face in engine.detect(&Image::open(path)?)? {
        println!("{:?} score {:.2}, quality {:?}", face.detection.rect, face.detection.score, face.quality);
    }
    Ok(())
}
