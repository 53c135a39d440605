//! Following faces: what happens to the tracks when faces cross, hide, leave, flicker, and when detections are garbage.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use facerec_core::{Detection, Landmarks, Rect, TrackOptions, TrackStep, Tracker};
use proptest::prelude::*;

fn face(x: f32, y: f32, side: f32, score: f32) -> Detection {
    Detection { rect: Rect::new(x - side / 2.0, y - side / 2.0, x + side / 2.0, y + side / 2.0), score, landmarks: Landmarks::default() }
}

/// Runs `scene` (detections with the true person of each, by time in seconds) and returns the tracks each person had.
fn tracks_of(steps: usize, rate: f32, scene: impl Fn(f32) -> Vec<(usize, Detection)>) -> BTreeMap<usize, BTreeSet<u64>> {
    let mut tracker = Tracker::new(TrackOptions::default());
    let mut seen: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for step in 0..steps {
        let time = step as f32 / rate;
        let people = scene(time);
        let detections: Vec<Detection> = people.iter().map(|(_, detection)| *detection).collect();
        let found = tracker.update(Duration::from_secs_f32(time), &detections).expect("time advances");
        for tracked in found.faces {
            if let Some(index) = tracked.detection {
                seen.entry(people[index].0).or_default().insert(tracked.track.0);
            }
        }
    }
    seen
}

/// Nobody's track is anybody else's.
fn assert_pure(tracks: &BTreeMap<usize, BTreeSet<u64>>) {
    let all: Vec<u64> = tracks.values().flatten().copied().collect();
    let unique: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(all.len(), unique.len(), "a track changed its person: {tracks:?}");
}

#[test]
fn a_walking_face_is_one_track_at_any_cadence() {
    for rate in [5.0, 8.0, 12.0, 25.0, 60.0] {
        // Two and a half face sides a second, with a little jitter.
        let scene = |t: f32| vec![(0, face(100.0 + 150.0 * t + (t * 37.0).sin() * 2.0, 200.0, 60.0, 0.9))];
        let tracks = tracks_of((rate * 4.0) as usize, rate, scene);
        assert_eq!(tracks[&0].len(), 1, "at {rate} detections a second: {tracks:?}");
    }
}

#[test]
fn faces_that_pass_without_touching_keep_their_tracks() {
    let scene = |t: f32| vec![(0, face(100.0 + 100.0 * t, 150.0, 60.0, 0.9)), (1, face(700.0 - 100.0 * t, 240.0, 60.0, 0.9))];
    let tracks = tracks_of(60, 10.0, scene);
    assert!(tracks.values().all(|tracks| tracks.len() == 1), "{tracks:?}");
    assert_pure(&tracks);
}

#[test]
fn a_face_that_hides_behind_another_never_takes_its_track() {
    for (near, far) in [(100.0, 100.0), (150.0, 60.0), (40.0, 140.0)] {
        // The second passes behind the first and is not detected while more than half of it is covered.
        let scene = move |t: f32| {
            let (front, back) = (100.0 + near * t, 700.0 - far * t);
            let mut people = vec![(0, face(front, 200.0, 80.0, 0.9))];
            if (front - back).abs() > 40.0 {
                people.push((1, face(back, 205.0, 70.0, 0.8)));
            }
            people
        };
        let tracks = tracks_of(70, 10.0, scene);
        assert_pure(&tracks);
        assert!(tracks.values().all(|tracks| tracks.len() <= 3), "{tracks:?}");
    }
}

#[test]
fn one_leaves_and_one_enters_at_the_same_place() {
    let scene = |t: f32| match t {
        t if t < 2.0 => vec![(0, face(300.0 - 140.0 * t, 200.0, 60.0, 0.9))],
        t if t < 2.25 => vec![],
        t => vec![(1, face(30.0 + 140.0 * (t - 2.25), 190.0, 60.0, 0.9))],
    };
    assert_pure(&tracks_of(50, 10.0, scene));
}

#[test]
fn missed_detections_do_not_end_a_track() {
    let scene = |t: f32| {
        let missed = (t * 10.0).round() as usize % 5 == 3;
        if missed { vec![] } else { vec![(0, face(100.0 + 80.0 * t, 200.0, 60.0, 0.9))] }
    };
    assert_eq!(tracks_of(60, 10.0, scene)[&0].len(), 1);
}

#[test]
fn weak_detections_continue_tracks_and_start_none() {
    let fading = |t: f32| vec![(0, face(200.0, 200.0, 60.0, if t < 1.0 { 0.9 } else { 0.3 }))];
    assert_eq!(tracks_of(40, 10.0, fading)[&0].len(), 1);
    assert!(tracks_of(40, 10.0, |_| vec![(0, face(200.0, 200.0, 60.0, 0.3))]).is_empty());
    // Neither sure nor weak: seen twice before it counts.
    let mut tracker = Tracker::new(TrackOptions::default());
    let mut step = |ms: u64| tracker.update(Duration::from_millis(ms), &[face(200.0, 200.0, 60.0, 0.6)]).expect("advances").faces.len();
    assert_eq!((step(0), step(100)), (0, 1));
}

#[test]
fn tracks_end_with_time_with_cuts_and_with_the_video() {
    let mut tracker = Tracker::new(TrackOptions::default());
    let at = Duration::from_millis;
    let step = |tracker: &mut Tracker, ms: u64, faces: &[Detection]| -> TrackStep { tracker.update(at(ms), faces).expect("advances") };
    let first = step(&mut tracker, 0, &[face(100.0, 100.0, 50.0, 0.9)]).faces[0].track;
    assert_eq!(tracker.predict(at(200)).len(), 1, "foreseen for a moment");
    assert!(tracker.predict(at(900)).is_empty(), "but not for long");
    assert_eq!(step(&mut tracker, 2000, &[]).ended, [first]);
    let second = step(&mut tracker, 2100, &[face(100.0, 100.0, 50.0, 0.9)]).faces[0].track;
    assert!(second > first);
    assert_eq!(tracker.cut(), [second]);
    let third = step(&mut tracker, 2200, &[face(100.0, 100.0, 50.0, 0.9)]).faces[0].track;
    assert_eq!(tracker.finish(), [third]);
    let back = tracker.update(at(100), &[]).expect_err("time went back");
    assert_eq!(back.kind().code(), "invalid_argument");
}

fn any_face() -> impl Strategy<Value = Detection> {
    let edge = prop_oneof![8 => -50f32..1000.0, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 1 => Just(-1e30f32), 1 => Just(0.0f32)];
    let score = prop_oneof![8 => 0f32..1.0, 1 => Just(f32::NAN)];
    (edge.clone(), edge.clone(), edge.clone(), edge, score).prop_map(|(x1, y1, x2, y2, score)| Detection {
        rect: Rect::new(x1, y1, x2, y2),
        score,
        landmarks: Landmarks::default(),
    })
}

proptest! {
    #[test]
    fn whatever_comes_each_detection_is_in_one_track_at_most(
        frames in prop::collection::vec((0u64..400, prop::collection::vec(any_face(), 0..12)), 1..40)
    ) {
        let mut tracker = Tracker::new(TrackOptions::default());
        let (mut time, mut over) = (0, BTreeSet::new());
        for (pause, detections) in frames {
            time += pause;
            let step = tracker.update(Duration::from_millis(time), &detections).expect("time advances");
            over.extend(step.ended.iter().copied());
            let mut used: Vec<usize> = step.faces.iter().filter_map(|face| face.detection).collect();
            let mut ids: Vec<_> = step.faces.iter().map(|face| face.track).collect();
            let (used_all, ids_all) = (used.len(), ids.len());
            used.sort_unstable();
            used.dedup();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(used.len(), used_all);
            prop_assert_eq!(ids.len(), ids_all);
            prop_assert!(used.iter().all(|&index| index < detections.len()));
            prop_assert!(ids.iter().all(|id| !over.contains(id)), "an ended track came back");
            prop_assert!(step.faces.iter().all(|face| face.rect.x1.is_finite() && face.speed.is_finite()));
        }
    }
}
