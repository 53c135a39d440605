//! Updates a second of the tracker alone, on one core: ten faces a frame that wander, cross and flicker.
#![allow(missing_docs, clippy::print_stdout)] // it is a program that prints a figure

use std::time::{Duration, Instant};

use facerec_core::{Detection, Landmarks, Rect, TrackOptions, Tracker};

const FACES: usize = 10;
const FRAMES: usize = 20_000;

fn main() {
    let frames: Vec<Vec<Detection>> = (0..FRAMES).map(frame).collect();
    let mut tracker = Tracker::new(TrackOptions::default());
    let start = Instant::now();
    let mut tracked = 0;
    for (index, detections) in frames.iter().enumerate() {
        let step = tracker.update(Duration::from_millis(40 * index as u64), detections).expect("time advances");
        tracked += step.faces.len();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("tracker: {:.0} updates/s with {FACES} faces a frame ({tracked} boxes)", FRAMES as f64 / seconds);
}

fn frame(index: usize) -> Vec<Detection> {
    let t = index as f32 / 25.0;
    let face = |person: usize| {
        let p = person as f32;
        let (x, y) = (640.0 + 500.0 * (t * 0.2 + p).sin(), 360.0 + 200.0 * (t * 0.13 + 2.0 * p).cos());
        let side = 50.0 + 10.0 * (t * 0.3 + p).sin();
        Detection { rect: Rect::new(x, y, x + side, y + 1.2 * side), score: 0.9, landmarks: Landmarks::default() }
    };
    (0..FACES).filter(|person| !(index * 7 + person * 13).is_multiple_of(29)).map(face).collect()
}
