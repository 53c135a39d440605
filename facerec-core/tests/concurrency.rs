//! One engine shared by many threads gives each of them the serial answers.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod reference;

use facerec_core::{Engine, Face, Image, ImageView};
use reference::{photos, shared};

const THREADS: usize = 8;

/// As a service would: one thread per inference, fewer sessions than callers, so that callers also wait for each other.
fn engine() -> Option<Engine> {
    let models = shared()?.join("models");
    let builder = Engine::builder().model_folder(models).detector("scrfd-500m").embedder("edgeface-xxs");
    Some(builder.threads(1).sessions(3).spinning(false).build().unwrap())
}

/// Photos of very different shapes and numbers of faces; the largest are left out for the sake of time.
fn images() -> Vec<&'static Image> {
    photos().iter().map(|photo| &photo.image).filter(|image| image.width() < 3000).collect()
}

#[test]
fn threads_that_share_an_engine_get_the_serial_answers() {
    let Some(engine) = engine() else { return };
    let images = images();
    let serial: Vec<Vec<Face>> = images.iter().map(|image| engine.embed(*image).unwrap()).collect();
    assert!(serial.iter().map(Vec::len).sum::<usize>() > 80);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (engine, images, serial) = (&engine, &images, &serial);
            scope.spawn(move || {
                // Every thread starts elsewhere, so that different photos are under way at any time.
                for step in 0..images.len() {
                    let index = (step + thread * images.len() / THREADS) % images.len();
                    assert_eq!(engine.embed(images[index]).unwrap(), serial[index], "photo {index} in thread {thread}");
                }
            });
        }
    });
}

#[test]
fn many_photos_at_once_come_back_in_order() {
    let Some(engine) = engine() else { return };
    let images = images();
    let views: Vec<ImageView<'_>> = images.iter().map(|image| image.view()).collect();
    let together = engine.embed_many(&views);
    assert_eq!(together.len(), images.len());
    for (image, faces) in images.iter().zip(together) {
        assert_eq!(faces.unwrap(), engine.embed(*image).unwrap());
    }
}
