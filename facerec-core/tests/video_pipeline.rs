//! The rules of the video path, with doubles for detection and embedding: faces are coloured squares, a colour is a person.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use facerec_core::pipeline::TrackDecisionOptions;
use facerec_core::{
    Cadence, CancelToken, Detect, Detection, Embed, Embedding, Error, Frame, FrameSource, Gallery, GalleryOptions, Image, ImageView,
    KnownPeople, Landmarks, ModelKey, NewFace, PipelineOptions, Point, Rect, Result, Sighting, VideoInfo, VideoPipeline, VideoSummary,
};

const ANA: [u8; 3] = [220, 60, 60];
const BEN: [u8; 3] = [60, 220, 60];
const CARL: [u8; 3] = [60, 60, 220];
/// People who look alike to the eye, and not to the embedder: [`Colours`] knows the first as Ana, the second as Ben.
const PALE_ANA: [u8; 3] = [124, 108, 108];
const PALE_BEN: [u8; 3] = [108, 124, 108];
/// Somebody without features, of whom there is no usable shot.
const VEILED: [u8; 3] = [70, 70, 70];
const BACKGROUND: [u8; 3] = [128; 3];
const SIDE: f32 = 60.0;
const SIZE: (u32, u32) = (640, 360);

/// A face at a place, by its colour.
type Seen = (f32, f32, [u8; 3]);

/// Finds squares of the colours by their upper left corners.
struct Squares;

impl Detect for Squares {
    fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
        Ok(images.iter().map(|image| squares(&image.to_image())).collect())
    }
}

fn squares(image: &Image) -> Vec<Detection> {
    let row = image.width() as usize * 3;
    let pixel = |x: usize, y: usize| &image.data()[y * row + x * 3..][..3];
    let mut found = Vec::new();
    for colour in [ANA, BEN, CARL, PALE_ANA, PALE_BEN, VEILED] {
        let mut left: Vec<(usize, usize)> = Vec::new();
        for y in 1..image.height() as usize {
            for x in 1..image.width() as usize {
                // Upper left corners on the background.
                if pixel(x, y) == colour && pixel(x - 1, y) == BACKGROUND && pixel(x, y - 1) == BACKGROUND {
                    left.push((x, y));
                }
            }
        }
        found.extend(left.into_iter().map(|(x, y)| detection(x as f32, y as f32)));
    }
    found
}

fn detection(x: f32, y: f32) -> Detection {
    let at = |dx: f32, dy: f32| Point::new(x + dx * SIDE, y + dy * SIDE);
    let landmarks = Landmarks([at(0.3, 0.35), at(0.7, 0.35), at(0.5, 0.55), at(0.35, 0.75), at(0.65, 0.75)]);
    Detection { rect: Rect::new(x, y, x + SIDE, y + SIDE), score: 0.95, landmarks }
}

/// The middle colour of an aligned face as a direction; counts what it embeds.
struct Colours {
    key: Arc<ModelKey>,
    embedded: Mutex<usize>,
}

impl Embed for Colours {
    fn model_key(&self) -> &Arc<ModelKey> {
        &self.key
    }

    fn template(&self) -> ([Point; 5], u32) {
        let at = |x: f32, y: f32| Point::new(x * 112.0, y * 112.0);
        ([at(0.3, 0.35), at(0.7, 0.35), at(0.5, 0.55), at(0.35, 0.75), at(0.65, 0.75)], 112)
    }

    fn embed_batch(&self, aligned: &[Image]) -> Result<Vec<Embedding>> {
        *self.embedded.lock().expect("no panic") += aligned.len();
        aligned.iter().map(|face| vector(&self.key, face.data()[(40 * 112 + 56) * 3..][..3].try_into().expect("three channels"))).collect()
    }
}

fn vector(key: &Arc<ModelKey>, colour: [u8; 3]) -> Result<Embedding> {
    Embedding::new(Arc::clone(key), colour.iter().map(|&channel| f32::from(channel) - 113.0).collect())
}

fn key() -> Arc<ModelKey> {
    Arc::new(ModelKey::new("colours", "1"))
}

/// Frames drawn by a script of the time in seconds.
struct Script<F> {
    rate: f32,
    frames: u64,
    next: u64,
    draw: F,
    fails_at: Option<u64>,
}

fn script<F: Fn(f32) -> Vec<Seen> + Send>(seconds: f32, draw: F) -> Script<F> {
    script_at(25.0, seconds, draw)
}

fn script_at<F: Fn(f32) -> Vec<Seen> + Send>(rate: f32, seconds: f32, draw: F) -> Script<F> {
    Script { rate, frames: (seconds * rate) as u64, next: 0, draw, fails_at: None }
}

impl<F: Fn(f32) -> Vec<Seen> + Send> FrameSource for Script<F> {
    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.fails_at == Some(self.next) {
            self.frames = 0;
            self.fails_at = None;
            return Err(Error::DecodeVideo { reason: "the tape is torn".into(), source: None });
        }
        if self.next >= self.frames {
            return Ok(None);
        }
        let (index, time) = (self.next, Duration::from_secs_f64(self.next as f64 / f64::from(self.rate)));
        self.next += 1;
        let mut image = Image::filled(SIZE.0, SIZE.1, BACKGROUND);
        for (x, y, colour) in (self.draw)(time.as_secs_f32()) {
            paint(&mut image, x, y, colour);
        }
        Ok(Some(Frame::from_image(index, time, image)))
    }

    fn info(&self) -> VideoInfo {
        VideoInfo::default()
    }
}

/// A square with a pattern on it, so that it is sharp and well lit.
fn paint(image: &mut Image, x: f32, y: f32, colour: [u8; 3]) {
    let width = image.width() as usize;
    for dy in 0..SIDE as usize {
        for dx in 0..SIDE as usize {
            let inner = (8..52).contains(&dx) && (8..52).contains(&dy) && !(24..36).contains(&dx);
            let pixel = if inner && colour != VEILED && (dx / 3 + dy / 3) % 2 == 0 { [190, 190, 190] } else { colour };
            let (px, py) = (x as usize + dx, y as usize + dy);
            if px < width && py < image.height() as usize {
                image.data_mut()[(py * width + px) * 3..][..3].copy_from_slice(&pixel);
            }
        }
    }
}

struct World {
    _folder: tempfile::TempDir,
    gallery: Gallery,
    embedder: Arc<Colours>,
}

impl World {
    /// Ana and Ben are enrolled.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let gallery = Gallery::open(folder.path(), &key(), GalleryOptions::default()).expect("opens");
        for (name, colour) in [("Ana", ANA), ("Ben", BEN)] {
            gallery.add(name, NewFace::new(&vector(&key(), colour).expect("a direction"))).expect("added");
        }
        Self { _folder: folder, gallery, embedder: Arc::new(Colours { key: key(), embedded: Mutex::new(0) }) }
    }

    fn pipeline(&self, change: impl FnOnce(PipelineOptions) -> PipelineOptions) -> VideoPipeline {
        let options = PipelineOptions::new(TrackDecisionOptions::new(0.8, 0.05)).workers(2).boxes(true);
        VideoPipeline::new(Arc::new(Squares), Arc::clone(&self.embedder) as _, change(options)).expect("good options")
    }

    fn run(&self, source: impl FrameSource) -> (Vec<Sighting>, VideoSummary) {
        let mut sightings = self.pipeline(|options| options).run(source, &self.gallery).expect("starts");
        let all: Vec<Sighting> = sightings.by_ref().map(|sighting| sighting.expect("no error")).collect();
        (all, sightings.summary().clone())
    }
}

fn names(sightings: &[Sighting]) -> Vec<Option<&str>> {
    sightings.iter().map(Sighting::name).collect()
}

#[test]
fn one_sighting_per_person_with_the_evidence() {
    let world = World::new();
    let (found, summary) = world.run(script(6.0, |t| vec![(50.0 + 40.0 * t, 100.0, ANA), (500.0, 200.0 - 10.0 * t, CARL)]));
    let by_name: BTreeMap<Option<&str>, &Sighting> = found.iter().map(|sighting| (sighting.name(), sighting)).collect();
    assert_eq!(found.len(), 2, "{:?}", names(&found));
    let ana = by_name[&Some("Ana")];
    assert!(ana.decision.similarity > 0.99 && ana.decision.threshold == 0.8, "{:?}", ana.decision);
    assert_eq!(ana.decision.reason.code(), "match");
    assert!(ana.start < Duration::from_millis(100) && ana.end > Duration::from_millis(5800));
    assert!((2..=5).contains(&ana.best_shots.len()));
    assert!(ana.best_shots.windows(2).all(|pair| pair[1].time - pair[0].time >= Duration::from_millis(400)));
    assert!(ana.best_shots.iter().all(|shot| shot.picture.as_ref().is_some_and(|picture| picture.width().max(picture.height()) <= 160)));
    let carl = by_name[&None];
    assert_eq!((carl.decision.reason.code(), carl.decision.candidates.len()), ("below_threshold", 2));
    // A box in every frame, exact where nothing was detected too.
    assert!(ana.frames >= 145 && ana.boxes.len() as u64 == ana.frames, "{} boxes", ana.frames);
    for one in &ana.boxes {
        let expected = 50.0 + 40.0 * one.time.as_secs_f32();
        assert!((one.rect.x1 - expected).abs() < 3.0, "{one:?} should be at {expected}");
    }
    assert_eq!(summary.frames, 150);
    assert_eq!((summary.tracks, summary.unknown_tracks), (2, 1));
    assert_eq!(summary.persons.keys().collect::<Vec<_>>(), ["Ana"]);
    assert!(summary.frames_detected < 80, "ten detections a second, not {}", summary.frames_detected);
    assert!(summary.detections >= 10 * summary.embeddings, "{} embeddings of {}", summary.embeddings, summary.detections);
    assert_eq!(summary.embeddings, *world.embedder.embedded.lock().expect("no panic") as u64);
}

#[test]
fn whoever_is_in_every_frame_is_in_view_all_the_time() {
    for rate in [1.0, 2.0, 3.0, 5.0, 12.0] {
        let (found, summary) = World::new().run(script_at(rate, 9.0, |t| vec![(250.0 + 3.0 * t, 100.0, ANA)]));
        let end = Duration::from_secs_f32((9.0 * rate - 1.0) / rate);
        let spans = &found[0].spans;
        assert!(matches!(spans[..], [(Duration::ZERO, last)] if last.abs_diff(end).as_millis() == 0), "{rate} frames a second: {spans:?}");
        assert_eq!(summary.persons["Ana"], found[0].spans);
    }
    // Away for a second.
    let (found, _) = World::new().run(script_at(2.0, 9.0, |t| if t == 4.0 || t == 4.5 { vec![] } else { vec![(250.0, 100.0, ANA)] }));
    let seconds: Vec<(f32, f32)> = found[0].spans.iter().map(|span| (span.0.as_secs_f32(), span.1.as_secs_f32())).collect();
    assert_eq!(seconds, [(0.0, 3.5), (5.0, 8.5)]);
}

#[test]
fn who_leaves_and_returns_is_one_person() {
    let world = World::new();
    let walk = |t: f32| match t {
        t if t < 3.0 => vec![(50.0 + 30.0 * t, 100.0, CARL)],
        t if t < 6.0 => vec![],
        t => vec![(300.0 + 20.0 * t, 200.0, CARL)],
    };
    let (found, _) = world.run(script(9.0, walk));
    assert_eq!(found.len(), 1, "{:?}", names(&found));
    assert_eq!(found[0].spans.len(), 2);
}

#[test]
fn nobody_is_in_two_places_at_once() {
    let world = World::new();
    // Both look like Ana, one of them a little less.
    let twin = [214, 72, 64];
    struct Both;
    impl Detect for Both {
        fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
            Ok(images.iter().map(|_| vec![detection(100.0, 100.0), detection(400.0, 100.0)]).collect())
        }
    }
    let answers = || {
        let options = PipelineOptions::new(TrackDecisionOptions::new(0.8, 0.05)).workers(2);
        let pipeline = VideoPipeline::new(Arc::new(Both), Arc::clone(&world.embedder) as _, options).expect("good options");
        let source = script(4.0, move |_| vec![(100.0, 100.0, ANA), (400.0, 100.0, twin)]);
        let found: Vec<Sighting> = pipeline.run(source, &world.gallery).expect("starts").map(|s| s.expect("no error")).collect();
        let mut answers: Vec<_> =
            found.iter().map(|sighting| (sighting.name().map(str::to_owned), sighting.decision.reason.code())).collect();
        answers.sort();
        answers
    };
    assert_eq!(answers(), [(None, "seen_elsewhere"), (Some("Ana".into()), "match")]);
    // With somebody else whom the other face resembles less than Ana, but enough: it is they.
    world.gallery.add("Ann", NewFace::new(&vector(&key(), [190, 110, 60]).expect("a direction"))).expect("added");
    assert_eq!(answers(), [(Some("Ana".into()), "match"), (Some("Ann".into()), "match")]);
}

#[test]
fn who_comes_and_goes_for_long_stays_one_person() {
    let world = World::new();
    // Ana and Carl take turns every two seconds, for five minutes: nobody is ever away for long enough to be reported.
    let turns = |t: f32| vec![if ((t / 2.0) as u32).is_multiple_of(2) { (100.0, 100.0, ANA) } else { (450.0, 200.0, CARL) }];
    let pipeline = world.pipeline(|options| options.rejoin_within(Duration::from_secs(5)).pictures(false));
    let mut sightings = pipeline.run(script(300.0, turns), &world.gallery).expect("starts");
    let found: Vec<Sighting> = sightings.by_ref().map(|sighting| sighting.expect("no error")).collect();
    assert_eq!(names(&found).len(), 2, "{:?}", names(&found));
    for sighting in &found {
        assert!((70..=76).contains(&sighting.spans.len()), "{} spans", sighting.spans.len());
        assert!(sighting.best_shots.len() <= 5 && sighting.spans.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert!(sighting.boxes.windows(2).all(|pair| pair[0].frame < pair[1].frame), "boxes in order");
        assert_eq!(sighting.boxes.len() as u64, sighting.frames);
    }
    let identify = sightings.summary().stages.identify;
    assert!(identify < Duration::from_secs(3), "deciding again and again took {identify:?}");
}

#[test]
fn progress_is_told() {
    let world = World::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&told);
    let pipeline = world.pipeline(|options| options.progress(Arc::new(move |progress| list.lock().expect("no panic").push(*progress))));
    let sightings = pipeline.run(script(2.0, |_| vec![(100.0, 100.0, ANA)]), &world.gallery).expect("starts");
    assert_eq!(sightings.count(), 1);
    let told = told.lock().expect("no panic");
    assert!(told.len() >= 15 && told.windows(2).all(|pair| pair[0].frames <= pair[1].frames && pair[0].time <= pair[1].time));
    assert_eq!((told.last().expect("some").frames, told.last().expect("some").tracks), (50, 1));
}

/// Checks the named spans against `truth`, `(from, to, name)` in seconds: nothing wrong beyond one frame, and at least `share` of
/// the time named rightly.
fn assert_named(case: &str, found: &[Sighting], truth: &[(f32, f32, &str)], rate: f32, share: f32) {
    let (mut right, frame) = (0.0, 1.0 / rate + 1e-3);
    for sighting in found {
        let Some(name) = sighting.name() else { continue };
        for (start, end) in sighting.spans.iter().map(|span| (span.0.as_secs_f32(), span.1.as_secs_f32())) {
            let own = truth.iter().filter(|part| part.2 == name);
            let within: f32 = own.map(|part| (end.min(part.1 + frame) - start.max(part.0 - frame)).max(0.0)).sum();
            assert!(within >= end - start - 1e-3, "{case}: {name} from {start} to {end} at {rate} frames a second, truth {truth:?}");
            right += end - start;
        }
    }
    let whole: f32 = truth.iter().map(|part| part.1 - part.0 - frame).sum();
    assert!(right >= share * whole, "{case}: {right} of {whole} s at {rate} frames a second, {:?}", names(found));
}

/// One face after another at the same place, each for some seconds.
fn in_turn(turns: &'static [(f32, [u8; 3])]) -> (f32, impl Fn(f32) -> Vec<Seen> + Send + Copy) {
    let at = |t: f32| {
        let mut until = 0.0;
        let turn = turns.iter().find(|(seconds, _)| {
            until += seconds;
            t < until - 1e-4
        });
        vec![(200.0, 100.0, turn.unwrap_or(&turns[turns.len() - 1]).1)]
    };
    (turns.iter().map(|turn| turn.0).sum(), at)
}

const RATES: [f32; 7] = [3.0, 4.0, 5.0, 8.0, 12.0, 25.0, 60.0];

#[test]
fn whoever_takes_a_face_s_place_takes_nothing_of_its_name() {
    let world = World::new();
    type Case = (&'static str, &'static [(f32, [u8; 3])], &'static [(f32, f32, &'static str)]);
    let cases: [Case; 6] = [
        ("the same chair", &[(3.0, ANA), (3.0, BEN)], &[(0.0, 3.0, "Ana"), (3.0, 6.0, "Ben")]),
        ("an unknown person follows", &[(4.0, ANA), (2.0, CARL)], &[(0.0, 4.0, "Ana")]),
        ("an unknown person before", &[(2.0, CARL), (4.0, BEN)], &[(2.0, 6.0, "Ben")]),
        (
            "shot and reverse shot",
            &[(1.5, ANA), (1.5, BEN), (1.5, ANA), (1.5, BEN), (1.5, ANA)],
            &[(0.0, 1.5, "Ana"), (1.5, 3.0, "Ben"), (3.0, 4.5, "Ana"), (4.5, 6.0, "Ben"), (6.0, 7.5, "Ana")],
        ),
        ("nobody knows the last second", &[(4.0, ANA), (1.0, VEILED)], &[(0.0, 4.0, "Ana")]),
        ("nobody knows the second between", &[(3.0, ANA), (1.5, VEILED), (3.0, ANA)], &[(0.0, 3.0, "Ana"), (4.5, 7.5, "Ana")]),
    ];
    for rate in RATES {
        for (case, turns, truth) in cases {
            let (seconds, draw) = in_turn(turns);
            let (found, summary) = world.run(script_at(rate, seconds, draw));
            assert_named(case, &found, truth, rate, 0.9);
            let kinds = truth.iter().map(|part| part.2).collect::<std::collections::BTreeSet<_>>();
            assert_eq!(summary.persons.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), kinds, "{case} at {rate}");
            assert_eq!(
                found.iter().filter(|sighting| sighting.name().is_some()).count(),
                kinds.len(),
                "{case}: a track per person at {rate}"
            );
        }
    }
}

#[test]
fn a_change_that_nobody_sees_costs_time_and_no_wrong_name() {
    let world = World::new();
    for rate in RATES {
        let (seconds, draw) = in_turn(&[(5.0, PALE_ANA), (5.0, PALE_BEN)]);
        let (found, _) = world.run(script_at(rate, seconds, draw));
        assert!(found.iter().all(|sighting| sighting.decision.reason.code() != "conflict"), "split, not averaged");
        let share = if rate < 10.0 { 0.3 } else { 0.7 };
        assert_named("alike", &found, &[(0.0, 5.0, "Ana"), (5.0, 10.0, "Ben")], rate, share);
        // Too short for a shot of each second: some of it may be nobody's, none of it somebody else's.
        let (seconds, draw) = in_turn(&[(2.0, PALE_ANA), (2.0, PALE_BEN)]);
        let (found, _) = world.run(script_at(rate, seconds, draw));
        assert_named("alike and brief", &found, &[(0.0, 2.0, "Ana"), (2.0, 4.0, "Ben")], rate, 0.0);
    }
}

#[test]
fn where_the_source_leaves_something_out_evidence_stands_on_both_sides() {
    let world = World::new();
    /// Leaves out frames, short enough for motion to bridge the gap.
    struct Torn<S>(S);
    impl<S: FrameSource> FrameSource for Torn<S> {
        fn next_frame(&mut self) -> Result<Option<Frame>> {
            loop {
                let frame = self.0.next_frame()?;
                if !frame.as_ref().is_some_and(|frame| (3.7..3.999).contains(&frame.time().as_secs_f32())) {
                    return Ok(frame);
                }
            }
        }
        fn info(&self) -> VideoInfo {
            self.0.info()
        }
    }
    let (seconds, draw) = in_turn(&[(4.0, PALE_ANA), (4.0, PALE_BEN)]);
    let (found, _) = world.run(Torn(script_at(25.0, seconds, draw)));
    assert_named("a gap", &found, &[(0.0, 4.0, "Ana"), (4.0, 8.0, "Ben")], 25.0, 0.9);
}

#[test]
fn boxes_and_embeddings_of_a_split_track_add_up() {
    let world = World::new();
    let (seconds, draw) = in_turn(&[(3.0, ANA), (3.0, BEN), (2.0, VEILED)]);
    let (found, summary) = world.run(script(seconds, draw));
    assert_eq!(found.iter().map(|sighting| sighting.embeddings as u64).sum::<u64>(), summary.embeddings);
    let tracks: std::collections::BTreeSet<u64> = found.iter().map(|sighting| sighting.track).collect();
    assert_eq!((found.len(), tracks.len()), (3, 3), "{:?}", names(&found));
    let mut frames: Vec<u64> = found.iter().flat_map(|sighting| &sighting.boxes).map(|one| one.frame).collect();
    assert!(found.iter().all(|sighting| sighting.frames == sighting.boxes.len() as u64));
    frames.sort_unstable();
    assert!(frames.windows(2).all(|pair| pair[0] < pair[1]), "no frame twice");
    assert!(frames.len() >= 190, "{} of 200", frames.len());
}

#[test]
fn thin_evidence_needs_more_similarity() {
    let world = World::new();
    let (brief, _) = world.run(script(0.3, |_| vec![(200.0, 100.0, ANA)]));
    assert!((brief[0].decision.threshold - 0.85).abs() < 1e-6, "a single shot: {:?}", brief[0].decision);
    let (long, _) = world.run(script(6.0, |_| vec![(200.0, 100.0, ANA)]));
    assert!((long[0].decision.threshold - 0.8).abs() < 1e-6, "independent shots: {:?}", long[0].decision);
}

#[test]
fn who_is_near_to_a_name_is_looked_at_again() {
    let world = World::new();
    // Like Dora by 0.83: too little for one shot (0.85), enough for two within a second and more (0.825). One detection in ten is one shot.
    let carl = vector(&key(), CARL).expect("a direction");
    let aside = (1.0f32 - 0.83 * 0.83).sqrt() / 2.0f32.sqrt();
    let dora = carl.as_slice().iter().zip([aside, -aside, 0.0]).map(|(along, aside)| 0.83 * along + aside).collect();
    world.gallery.add("Dora", NewFace::new(&Embedding::new(key(), dora).expect("a direction"))).expect("added");
    let (found, summary) = world.run(script(1.6, |_| vec![(200.0, 100.0, CARL)]));
    assert_eq!((names(&found), summary.embeddings), (vec![Some("Dora")], 2), "{:?}", found[0].decision);
    let (_, summary) = world.run(script(1.6, |_| vec![(200.0, 100.0, ANA)]));
    assert_eq!(summary.embeddings, 1, "a clear name needs no more");
}

fn crossing(t: f32) -> Vec<Seen> {
    vec![(20.0 + 70.0 * t, 60.0, ANA), (560.0 - 60.0 * t, 150.0, BEN), (250.0 + 80.0 * (t * 2.0).sin(), 260.0, CARL)]
}

#[test]
fn answers_do_not_depend_on_timing() {
    let world = World::new();
    let collect = |pipeline: VideoPipeline| -> Vec<Sighting> {
        pipeline.run(script(7.0, crossing), &world.gallery).expect("starts").map(|s| s.expect("no error")).collect()
    };
    let serial = collect(world.pipeline(|options| options));
    assert_eq!(serial.len(), 3);
    for _ in 0..3 {
        let both = std::thread::scope(|scope| {
            let running: Vec<_> = (0..2).map(|_| scope.spawn(|| collect(world.pipeline(|options| options)))).collect();
            running.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
        });
        assert!(both.iter().all(|one| *one == serial), "two at once differ from one");
    }
    let every = |workers: usize| collect(world.pipeline(|options| options.cadence(Cadence::EveryFrame).workers(workers)));
    assert_eq!(every(1), every(4), "with every frame looked at the number of workers does not matter");
}

#[test]
fn long_absence_is_reported_while_the_video_runs() {
    let world = World::new();
    let draw = |t: f32| if t < 2.0 { vec![(100.0, 100.0, ANA)] } else { vec![(400.0, 200.0, CARL)] };
    let pipeline = world.pipeline(|options| options.rejoin_within(Duration::from_secs(3)));
    let mut sightings = pipeline.run(script(20.0, draw), &world.gallery).expect("starts");
    let first = sightings.next().expect("one").expect("no error");
    assert_eq!(first.name(), Some("Ana"));
    assert!(sightings.progress().time < Duration::from_secs(8), "{:?}", sightings.progress());
    assert_eq!(sightings.count(), 1);
}

#[test]
fn live_results_come_early_and_are_marked() {
    let world = World::new();
    let pipeline = world.pipeline(|options| options.provisional(true));
    let found: Vec<Sighting> =
        pipeline.run(script(6.0, |_| vec![(100.0, 100.0, ANA)]), &world.gallery).expect("starts").map(|s| s.expect("no error")).collect();
    let marks: Vec<_> = found.iter().map(|sighting| (sighting.name(), sighting.provisional)).collect();
    assert_eq!(marks, [(Some("Ana"), true), (Some("Ana"), false)]);
    assert!(found[0].end < Duration::from_millis(2500));
}

#[test]
fn errors_come_after_what_was_found() {
    let world = World::new();
    let mut torn = script(10.0, |_| vec![(100.0, 100.0, ANA)]);
    torn.fails_at = Some(100);
    let mut sightings = world.pipeline(|options| options).run(torn, &world.gallery).expect("starts");
    assert_eq!(sightings.next().expect("one").expect("what was read counts").name(), Some("Ana"));
    assert_eq!(sightings.next().expect("two").expect_err("then the error").kind().code(), "decode_video");
    assert!(sightings.next().is_none());
    assert_eq!(sightings.summary().frames, 100);

    // The same when it is detection that fails in the middle, as a remote one may.
    struct Fails(Mutex<usize>);
    impl Detect for Fails {
        fn detect_batch(&self, images: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
            let mut left = self.0.lock().expect("no panic");
            *left = left.checked_sub(1).ok_or_else(|| Error::Inference { model: "remote".into(), reason: "gone".into() })?;
            Squares.detect_batch(images)
        }
    }
    let options = PipelineOptions::new(TrackDecisionOptions::new(0.8, 0.05)).workers(2);
    let pipeline = VideoPipeline::new(Arc::new(Fails(Mutex::new(30))), Arc::clone(&world.embedder) as _, options).expect("good options");
    let mut sightings = pipeline.run(script(10.0, |_| vec![(100.0, 100.0, ANA)]), &world.gallery).expect("starts");
    assert_eq!(sightings.next().expect("one").expect("what was seen counts").name(), Some("Ana"));
    assert_eq!(sightings.next().expect("two").expect_err("then the error").kind().code(), "inference");
    assert!(sightings.next().is_none());
}

#[test]
fn cancelling_failing_and_panicking_end_the_work() {
    let world = World::new();
    let token = CancelToken::new();
    let pipeline = world.pipeline(|options| options.cancel(token.clone()));
    let mut endless = pipeline.run(script(1e6, |_| vec![(100.0, 100.0, ANA)]), &world.gallery).expect("starts");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            token.cancel();
        });
        assert_eq!(endless.next().expect("an end").expect_err("cancelled").kind().code(), "cancelled");
    });
    assert!(endless.next().is_none());

    struct Broken(bool);
    impl Detect for Broken {
        fn detect_batch(&self, _: &[ImageView<'_>]) -> Result<Vec<Vec<Detection>>> {
            assert!(!self.0, "a detector that panics");
            Err(Error::Inference { model: "broken".into(), reason: "on purpose".into() })
        }
    }
    for (panics, code) in [(false, "inference"), (true, "internal")] {
        let options = PipelineOptions::new(TrackDecisionOptions::new(0.8, 0.05));
        let pipeline = VideoPipeline::new(Arc::new(Broken(panics)), Arc::clone(&world.embedder) as _, options).expect("good options");
        let mut sightings = pipeline.run(script(2.0, |_| vec![]), KnownPeople::Nobody).expect("starts");
        assert_eq!(sightings.next().expect("an end").expect_err("the error").kind().code(), code);
        assert!(sightings.next().is_none());
    }
}

#[test]
fn nothing_to_see_is_no_error_and_bad_options_are() {
    let world = World::new();
    let (none, summary) = world.run(script(0.0, |_| vec![]));
    assert!(none.is_empty());
    assert_eq!(summary.frames, 0);
    let (one, _) = world.run(script(0.04, |_| vec![(100.0, 100.0, BEN)]));
    assert_eq!(names(&one), [Some("Ben")], "one frame suffices");
    let bad = PipelineOptions::new(TrackDecisionOptions::new(1.5, 0.05));
    let code = |result: Result<VideoPipeline>| result.expect_err("refused").kind().code();
    assert_eq!(code(VideoPipeline::new(Arc::new(Squares), Arc::clone(&world.embedder) as _, bad)), "invalid_argument");
    let unclear = PipelineOptions::new(TrackDecisionOptions::new(0.5, 0.05)).min_quality(f32::NAN);
    assert_eq!(code(VideoPipeline::new(Arc::new(Squares), Arc::clone(&world.embedder) as _, unclear)), "invalid_argument");
    let never = PipelineOptions::new(TrackDecisionOptions::new(0.5, 0.05)).cadence(Cadence::Adaptive { per_second: 0.0 });
    assert_eq!(code(VideoPipeline::new(Arc::new(Squares), Arc::clone(&world.embedder) as _, never)), "invalid_argument");
    let other = tempfile::tempdir().expect("a folder");
    let key = Arc::new(ModelKey::new("other", "2"));
    let gallery = Gallery::open(other.path(), &key, GalleryOptions::default()).expect("opens");
    let refused = world.pipeline(|options| options).run(script(1.0, |_| vec![]), &gallery);
    assert_eq!(refused.expect_err("refused").kind().code(), "embedding_model_mismatch");
}
