//! Who is in a video, and when: `cargo run --release --example video -- GALLERY video.mp4`.

use facerec_core::{Engine, Result};

#[allow(clippy::print_stdout)] // an example prints
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".facerec/demo-gallery".into());
    let video = arguments.next().unwrap_or_else(|| ".facerec/demo.mp4".into());
    let engine = Engine::new()?;
    let gallery = engine.open_gallery(folder)?;
    for sighting in engine.video(video, &gallery)? {
        let sighting = sighting?;
        println!("{} from {:.1?} to {:.1?}", sighting.name().unwrap_or("unknown"), sighting.start, sighting.end);
    }
    Ok(())
}
