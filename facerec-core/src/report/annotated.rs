//! A copy of a video with boxes, names and track numbers drawn into it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::error::Result;
use crate::geometry::Rect;
use crate::image::{Annotation, Image, Namesakes, Tone, annotate_among, resize_bilinear};
use crate::pipeline::Sighting;
use crate::video::{FrameSource, VideoWriter};

/// Reads `source` from the start and writes it to `path` (mp4, H.264) with the boxes of `sightings`, which must have been made
/// from the same video with their boxes kept. Frames keep their times, and pixels are square. Every box carries the track's final name, from its first frame on. Pictures of a
/// video whose size changes are fitted into the first one's.
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
    let names = Namesakes::of(sightings.iter().filter_map(Sighting::name));
    let info = source.info();
    let rate = info.frame_rate.unwrap_or(25.0);
    let mut shown: Option<Shown> = None;
    let mut writer: Option<(VideoWriter, (u32, u32))> = None;
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
        annotate_among(&mut image, &marks, &names);
        let (writer, size) = match &mut writer {
            Some(writer) => writer,
            None => {
                let size = (image.width(), image.height());
                writer.insert((VideoWriter::create(&path, size.0, size.1, rate)?, size))
            }
        };
        writer.write(&fitted(image, *size)?, frame.time())?;
        shown = Some(Shown::after(shown, frame.time()));
    }
    match (writer, broken) {
        // A video that breaks off was reported when it was looked through; here it only explains that there is nothing.
        (Some((writer, _)), _) => match shown.and_then(|shown| shown.end(rate, info.duration)) {
            Some(end) => writer.finish_at(end),
            None => writer.finish(),
        },
        (None, Some(error)) => Err(error),
        (None, None) => Ok(()),
    }
}

/// When the last frame came, and how long the one before was shown.
#[derive(Clone, Copy)]
struct Shown {
    last: Duration,
    before: Duration,
}

impl Shown {
    fn after(shown: Option<Self>, time: Duration) -> Self {
        Self { last: time, before: shown.map_or(Duration::ZERO, |shown| time.saturating_sub(shown.last)) }
    }

    /// When the last frame ends: with the video, but of a part of one not later than frames follow each other.
    fn end(self, rate: f64, video: Option<Duration>) -> Option<Duration> {
        let usual = Duration::try_from_secs_f64(1.0 / rate).unwrap_or_default().max(self.before);
        video.and_then(|end| end.checked_sub(self.last)).map(|rest| self.last.saturating_add(rest.min(usual)))
    }
}

/// The picture in the middle of one of `size`, as large as it fits.
fn fitted(image: Image, size: (u32, u32)) -> Result<Image> {
    let from = (image.width(), image.height());
    if from == size {
        return Ok(image);
    }
    let scale = (f64::from(size.0) / f64::from(from.0)).min(f64::from(size.1) / f64::from(from.1));
    let scaled = |side: u32, most: u32| ((f64::from(side) * scale).round() as u32).clamp(1, most);
    let inner = (scaled(from.0, size.0), scaled(from.1, size.1));
    let pixels = resize_bilinear(image.data(), from, inner)?;
    let mut whole = Image::filled(size.0, size.1, [0; 3]);
    let left = (size.0 - inner.0) as usize / 2 * 3;
    let (row, top, bytes) = (size.0 as usize * 3, (size.1 - inner.1) as usize / 2, inner.0 as usize * 3);
    for (line, from) in whole.data_mut().chunks_exact_mut(row).skip(top).zip(pixels.chunks_exact(bytes)) {
        line[left..left + bytes].copy_from_slice(from);
    }
    Ok(whole)
}

fn mark((sighting, rect): &(&Sighting, Rect)) -> Annotation {
    let tone = if sighting.name().is_some() { Tone::Known } else { Tone::Unknown };
    let (label, detail) = (sighting.name().unwrap_or_default().to_owned(), format!("#{}", sighting.track));
    Annotation { rect: *rect, landmarks: None, label, detail, tone }
}
