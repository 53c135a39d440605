//! A copy of a video with boxes, names and track numbers drawn into it.

use std::collections::HashMap;
use std::path::Path;

use crate::error::Result;
use crate::geometry::Rect;
use crate::image::{Annotation, Tone, annotate};
use crate::pipeline::Sighting;
use crate::video::{FrameSource, VideoWriter};

/// Reads `source` from the start and writes it to `path` (mp4, H.264) with the boxes of `sightings`, which must have been made
/// from the same video with their boxes kept. Every box carries the track's final name, from its first frame on.
///
/// # Errors
/// `decode_video` when the video cannot be read (what came before is written), `unsupported_format` without an encoder, `io`.
pub fn annotate_video(mut source: impl FrameSource, sightings: &[Sighting], path: impl AsRef<Path>) -> Result<()> {
    let mut boxes: HashMap<u64, Vec<(&Sighting, Rect)>> = HashMap::new();
    for sighting in sightings {
        for one in &sighting.boxes {
            boxes.entry(one.frame).or_default().push((sighting, one.rect));
        }
    }
    let rate = source.info().frame_rate.unwrap_or(25.0);
    let mut writer: Option<VideoWriter> = None;
    let mut broken = None;
    loop {
        let frame = match source.next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        let mut image = frame.to_image()?;
        let marks: Vec<Annotation> = boxes.get(&frame.index()).map_or_else(Vec::new, |found| found.iter().map(mark).collect());
        annotate(&mut image, &marks);
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(VideoWriter::create(&path, image.width(), image.height(), rate)?),
        };
        writer.write(&image, frame.time())?;
    }
    writer.map_or(Ok(()), VideoWriter::finish)?;
    // A video that breaks off was reported when it was looked through; here it only explains an empty result.
    match broken {
        Some(error) if !path.as_ref().exists() => Err(error),
        _ => Ok(()),
    }
}

fn mark((sighting, rect): &(&Sighting, Rect)) -> Annotation {
    let (label, tone) = match sighting.name() {
        Some(name) => (format!("{name} #{}", sighting.track), Tone::Known),
        None => (format!("#{}", sighting.track), Tone::Unknown),
    };
    Annotation { rect: *rect, landmarks: None, label, tone }
}
