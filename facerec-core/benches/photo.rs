//! The facerec side of `benches/compare/insightface_photo.py`: does on stdin's orders what is to be timed, and answers in JSON.
//!
//! ```text
//! photo engine|bare MODELS LIBRARY THREADS SESSIONS IMAGE...     then, a line each:
//! embed INDEX CALLS       {"faces", "ms": [...]}     detect and embed the decoded image; with `bare`, only ONNX Runtime's part of it
//! callers COUNT SECONDS   {"photos_per_s"}           COUNT threads share one engine on all images
//! memory                  {"peak_mib"}
//! ```

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use facerec_core::Engine;
use facerec_core::image::Image;
use facerec_core::runtime::{Model, Runtime, RuntimeOptions};
use serde_json::{Value, json};

const DETECTOR: &str = "scrfd-2.5g";
const EMBEDDER: &str = "edgeface-xs";

/// What is timed: the engine, or nothing but the inferences it makes for the same image.
enum Subject {
    Engine(Box<Engine>),
    Bare { detector: Box<Model>, embedder: Box<Model> },
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [role, models, library, threads, sessions, paths @ ..] = args.as_slice() else {
        println!("usage: photo engine|bare MODELS LIBRARY THREADS SESSIONS IMAGE... (see benches/README.md)");
        return;
    };
    let images: Vec<Image> = paths.iter().map(|path| Image::open(path).unwrap()).collect();
    let (models, library) = (PathBuf::from(models), PathBuf::from(library));
    let (threads, sessions) = (threads.parse().unwrap(), sessions.parse().unwrap());
    let subject = if role == "bare" {
        let runtime = Runtime::new(RuntimeOptions::default().library(library).threads(threads).sessions(sessions)).unwrap();
        let catalog = facerec_core::model::ModelCatalog::new(vec![models]).unwrap();
        let open = |id| runtime.open(id, catalog.resolve(id).unwrap().path).unwrap();
        Subject::Bare { detector: Box::new(open(DETECTOR)), embedder: Box::new(open(EMBEDDER)) }
    } else {
        let builder = Engine::builder().model_folder(models).runtime_library(library).detector(DETECTOR).embedder(EMBEDDER);
        Subject::Engine(Box::new(builder.threads(threads).sessions(sessions).build().unwrap()))
    };
    for line in std::io::stdin().lock().lines() {
        println!("{}", answer(&subject, &images, &line.unwrap()));
    }
}

fn answer(subject: &Subject, images: &[Image], order: &str) -> Value {
    let words: Vec<&str> = order.split_whitespace().collect();
    match (words.as_slice(), subject) {
        (["embed", index, calls], Subject::Engine(engine)) => {
            let image = &images[index.parse::<usize>().unwrap()];
            let (mut faces, mut ms) = (0, Vec::new());
            for _ in 0..calls.parse().unwrap() {
                let start = Instant::now();
                faces = engine.embed(image).unwrap().len();
                ms.push(milliseconds(start));
            }
            json!({ "faces": faces, "ms": ms })
        }
        // `embed INDEX CALLS FACES` of the bare models: the engine's canvas for this image, then all faces in one batch.
        (["embed", index, calls, faces], Subject::Bare { detector, embedder }) => {
            let faces: usize = faces.parse().unwrap();
            let (detect, embed) = (canvas(&images[index.parse::<usize>().unwrap()]), [faces, 3, 112, 112]);
            let ramp = |shape: [usize; 4]| -> Vec<f32> { (0..shape.iter().product()).map(|i| (i % 255) as f32 / 127.5 - 1.0).collect() };
            let (pixels, crops) = (ramp(detect), ramp(embed));
            let mut ms = Vec::new();
            for _ in 0..calls.parse().unwrap() {
                let start = Instant::now();
                detector.run(&detect, &pixels, |_| Ok(())).unwrap();
                if faces > 0 {
                    embedder.run(&embed, &crops, |_| Ok(())).unwrap();
                }
                ms.push(milliseconds(start));
            }
            json!({ "faces": faces, "ms": ms })
        }
        (["callers", count, seconds], Subject::Engine(engine)) => {
            let (start, limit) = (Instant::now(), Duration::from_secs_f64(seconds.parse().unwrap()));
            let done = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..count.parse().unwrap() {
                    scope.spawn(|| {
                        while start.elapsed() < limit {
                            let next = done.fetch_add(1, Ordering::Relaxed);
                            engine.embed(&images[next % images.len()]).unwrap();
                        }
                    });
                }
            });
            json!({ "photos_per_s": done.into_inner() as f64 / start.elapsed().as_secs_f64() })
        }
        (["memory"], _) => json!({ "peak_mib": peak_mib() }),
        _ => json!({ "error": format!("unknown order `{order}`") }),
    }
}

/// The detector's input for a photo: longest side 640, sides rounded up to multiples of 32.
fn canvas(image: &Image) -> [usize; 4] {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let scale = 640.0 / width.max(height);
    let side = |length: f64| ((length * scale) as usize).div_ceil(32) * 32;
    [1, 3, side(height), side(width)]
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// The most memory this process ever held (Linux).
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}
