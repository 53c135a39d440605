//! Enrols a person and looks for them in another photo: `cargo run --release --example enroll_identify -- NAME photo.jpg other.jpg`.

use facerec_core::{Engine, EnrollOptions, Image, Result};

#[allow(clippy::print_stdout)] // an example prints
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "Obama".into());
    let photo = arguments.next().unwrap_or_else(|| ".facerec/photos/people/obama.jpg".into());
    let other = arguments.next().unwrap_or_else(|| ".facerec/photos/people/obama2.jpg".into());
    let engine = Engine::new()?;
    let gallery = engine.open_gallery(std::env::temp_dir().join("facerec-example-gallery"))?;
    println!("{:?}", engine.enroll(&gallery, &name, &Image::open(photo)?, &EnrollOptions::default())?);
    for found in engine.identify(&gallery, &Image::open(other)?)? {
        let name = found.decision.name.as_deref().unwrap_or("unknown");
        println!("{name}: similarity {:.2}, {}", found.decision.similarity, found.decision.reason.code());
    }
    Ok(())
}
