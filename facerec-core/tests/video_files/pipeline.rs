//! Files through the pipeline, with doubles for detection and embedding.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use facerec_core::pipeline::{Progress, TrackDecisionOptions};
use facerec_core::{
    Cadence, Detect, Detection, Embed, Embedding, Image, ImageView, KnownPeople, Landmarks, ModelKey, PipelineOptions, Point, Rect, Result,
    VideoPipeline, VideoReader,
};

use super::{Folder, ffmpeg_is_there};

/// Sees one face in the middle of every picture.
struct Middle;

impl Detect for Middle {
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        let face = |image: &ImageView<'_>| {
            let (width, height) = (image.width() as f32, image.height() as f32);
            let at = |x: f32, y: f32| Point::new(width * (0.4 + 0.2 * x), height * (0.4 + 0.2 * y));
            let landmarks = Landmarks([at(0.3, 0.35), at(0.7, 0.35), at(0.5, 0.55), at(0.35, 0.75), at(0.65, 0.75)]);
            let rect = Rect::new(width * 0.4, height * 0.4, width * 0.6, height * 0.6);
            vec![Detection { rect, score: 0.95, landmarks }]
        };
        Ok(images.iter().map(face).collect())
    }
}

/// Takes everybody for the same.
struct Same(Arc<ModelKey>);

impl Embed for Same {
    fn model_key(&self) -> &Arc<ModelKey> {
        &self.0
    }

    fn template(&self) -> ([Point; 5], u32) {
        let at = |x: f32, y: f32| Point::new(x * 112.0, y * 112.0);
        ([at(0.3, 0.35), at(0.7, 0.35), at(0.5, 0.55), at(0.35, 0.75), at(0.65, 0.75)], 112)
    }

    fn embed_batch(&self, aligned: &[Image]) -> Result<Vec<Embedding>> {
        aligned.iter().map(|_| Embedding::new(Arc::clone(&self.0), vec![1.0, 0.0])).collect()
    }
}

fn pipeline(change: impl FnOnce(PipelineOptions) -> PipelineOptions) -> VideoPipeline {
    let key = Arc::new(ModelKey::new("same", "1"));
    let options = change(PipelineOptions::new(TrackDecisionOptions::new(0.5, 0.1)).cadence(Cadence::EveryFrame));
    VideoPipeline::new(Arc::new(Middle), Arc::new(Same(key)), options).expect("options in range")
}

#[test]
fn a_4k_video_is_looked_through_with_progress() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let path = folder.make("4k.mp4", "testsrc=s=3840x2160:r=25:d=2", "-c:v libx264 -preset ultrafast -pix_fmt yuv420p");
    let steps: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let seen = Arc::clone(&steps);
    let pipeline = pipeline(|options| options.progress(Arc::new(move |step: &Progress| seen.lock().expect("no panic").push(*step))));
    let mut sightings = pipeline.run(VideoReader::open(&path).expect("opens"), KnownPeople::Nobody).expect("starts");
    let found: Vec<_> = sightings.by_ref().map(|sighting| sighting.expect("decodes")).collect();
    assert_eq!((found.len(), found[0].frames, sightings.summary().frames), (1, 50, 50));
    let steps = steps.lock().expect("no panic");
    assert!(steps.len() >= 10, "{} steps", steps.len());
    assert!(steps.windows(2).all(|pair| pair[0].frames <= pair[1].frames && pair[0].time <= pair[1].time), "never back");
    let last = steps.last().expect("a step");
    assert_eq!((last.frames, last.total, last.tracks), (50, Some(50), 1));
}

#[test]
fn an_hour_without_a_frame_is_passed_over() {
    if !ffmpeg_is_there() {
        return;
    }
    let folder = Folder::new();
    let more = "-vf setpts=PTS+gte(N\\,25)*3600/TB -fps_mode vfr -c:v libx264 -bf 2 -pix_fmt yuv420p";
    let path = folder.make("jump.mkv", "testsrc=s=320x240:r=25:d=2", more);
    let times: Vec<Duration> = VideoReader::open(&path).expect("opens").map(|frame| frame.expect("decodes").time()).collect();
    assert_eq!(times.len(), 50);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(times[25] - times[24] > Duration::from_secs(3599), "{:?}", &times[24..26]);

    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let pipeline = pipeline(|options| {
        options.boxes(true).progress(Arc::new(move |_: &Progress| {
            counted.fetch_add(1, Ordering::Relaxed);
        }))
    });
    let start = Instant::now();
    let mut sightings = pipeline.run(VideoReader::open(&path).expect("opens"), KnownPeople::Nobody).expect("starts");
    let found: Vec<_> = sightings.by_ref().map(|sighting| sighting.expect("decodes")).collect();
    assert!(start.elapsed() < Duration::from_secs(30) && calls.load(Ordering::Relaxed) <= 50, "the hour is not waited for");
    let spans: Vec<_> = found.iter().flat_map(|sighting| sighting.spans.iter().copied()).collect();
    assert_eq!(spans.len(), 2, "once before and once after the hour: {spans:?}");
    assert!(spans[0].1 < Duration::from_secs(2) && spans[1].0 > Duration::from_secs(3600), "{spans:?}");
    assert_eq!(found.iter().map(|sighting| sighting.boxes.len()).sum::<usize>(), 50);
}
