//! Whether two photos show the same person: `cargo run --release --example compare -- a.jpg b.jpg`.

use facerec_core::{Engine, Image, Result};

#[allow(clippy::print_stdout)] // an example prints
fn main() -> Result<()> {
    let mut paths = std::env::args().skip(1);
    let a = paths.next().unwrap_or_else(|| ".facerec/photos/people/obama.jpg".into());
    let b = paths.next().unwrap_or_else(|| ".facerec/photos/people/obama2.jpg".into());
    let engine = Engine::new()?;
    let result = engine.compare(&Image::open(a)?, &Image::open(b)?)?;
    println!("same person: {} (similarity {:?}, threshold {:.2})", result.same, result.similarity, result.threshold);
    Ok(())
}
