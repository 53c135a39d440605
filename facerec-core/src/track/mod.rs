//! Following faces through a video: detections and times in, tracks out. No video, no network: usable on its own.
//!
//! Motion is foreseen by a Kalman filter with real time steps; detections are assigned to tracks in stages, the optimal
//! assignment in each: strong detections first, then weak ones (ByteTrack, Zhang et al. 2022), then what is left by where a
//! face was last seen instead of where it should be (observation-centric recovery, OC-SORT, Cao et al. 2023). Boxes of faces
//! move by a good part of their own size between two detections, so distance is measured in face sides, not in overlap.
//!
//! Motion cannot tell who comes out from behind whom: a track that was hidden by another ends, and [`rejoin`] joins the
//! parts by what the faces look like.

mod assignment;
mod best_shot;
mod cluster;
mod cut;
mod motion;
mod options;
mod rejoin;

use std::time::Duration;

pub use best_shot::{BestShots, Kept};
pub use cut::{CutDetector, SceneChange};
pub use options::TrackOptions;
pub(crate) use rejoin::{HANDOVER, together};
pub use rejoin::{RejoinOptions, Tracklet, rejoin};

use crate::error::{Error, Result};
use crate::face::Detection;
use crate::geometry::Rect;
pub(crate) use assignment::assign;
pub(crate) use cluster::agglomerate;
use motion::{Motion, side};

/// A track's number: 1, 2, 3 in the order in which tracks are confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrackId(pub u64);

/// What a frame's detections did to the tracks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrackStep {
    /// The tracks in view, oldest first.
    pub faces: Vec<TrackedFace>,
    /// Tracks that are over.
    pub ended: Vec<TrackId>,
}

/// A tracked face in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackedFace {
    /// Its track.
    pub track: TrackId,
    /// Its box: the detection's, or where it should be.
    pub rect: Rect,
    /// Which of the frame's detections it is; `None` while it is missed for a moment.
    pub detection: Option<usize>,
    /// How fast it moves, in its own sides a second.
    pub speed: f32,
    /// It touches another tracked face: who is who may be mixed up.
    pub ambiguous: bool,
}

/// Follows faces. Frames come in the order of their times.
#[derive(Debug, Clone)]
pub struct Tracker {
    options: TrackOptions,
    tracks: Vec<Track>,
    confirmed: u64,
    time: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Track {
    /// Some once it is confirmed.
    id: Option<TrackId>,
    /// At the time of the last detection.
    motion: Motion,
    last: Rect,
    last_time: Duration,
    /// It vanished behind another face.
    hidden: bool,
}

/// A detection that can be used.
struct Candidate<'a> {
    index: usize,
    detection: &'a Detection,
}

/// Leaving a track without detection costs as much as a detection at this cost; see [`Tracker::cost`].
const ALONE: f32 = 1.2;
/// Sizes of one face in two detections differ by this factor at most.
const MOST_GROWTH: f32 = 2.0;
/// Least and greatest distance, in face sides, at which a detection may be a track's.
const GATE: (f32, f32) = (0.5, 3.0);
/// How many standard deviations of the foreseen place are added to the gate.
const GATE_DEVIATIONS: f32 = 2.0;
/// A face of which another one covers more than this share can vanish behind it.
const COVERED: f32 = 0.2;
/// A face that was missed for longer and then stands where motion did not lead it, or has turned back, may be another's: one
/// leaves, one enters.
const UNFORESEEN: Duration = Duration::from_millis(150);
/// From here on [`turn`] means that a face goes back where it came from.
const TURNED_BACK: f32 = 0.7;

impl Tracker {
    /// Follows nobody yet.
    pub fn new(options: TrackOptions) -> Self {
        Self { options, tracks: Vec::new(), confirmed: 0, time: None }
    }

    /// The detections of the frame at `time`. Detections whose box is empty or not finite are ignored.
    ///
    /// # Errors
    /// `invalid_argument` when `time` lies before the last frame.
    pub fn update(&mut self, time: Duration, detections: &[Detection]) -> Result<TrackStep> {
        if let Some(last) = self.time.filter(|last| time < *last) {
            return Err(Error::argument("time", format!("expected a time of at least {last:?}, got `{time:?}`")));
        }
        self.time = Some(time);
        let ended = self.end_where(|track, options| time.saturating_sub(track.last_time) > options.keep_lost);

        let usable =
            |rect: &Rect| [rect.x1, rect.y1, rect.x2, rect.y2].iter().all(|v| v.abs() < 1e6) && rect.width() > 0.0 && rect.height() > 0.0;
        let candidates = detections.iter().enumerate().filter(|(_, d)| usable(&d.rect) && d.score.is_finite());
        let candidates: Vec<Candidate<'_>> = candidates.map(|(index, detection)| Candidate { index, detection }).collect();
        let foreseen: Vec<Motion> = self.tracks.iter().map(|track| track.motion.after(track.missed(time))).collect();
        let mut matched: Vec<Option<usize>> = vec![None; self.tracks.len()];
        let mut free: Vec<bool> = vec![true; candidates.len()];

        let strong = |candidate: &Candidate<'_>| candidate.detection.score >= self.options.high_score;
        self.assign_stage(&candidates, &mut free, &mut matched, &strong, |track, index, rect| {
            self.cost(track, &foreseen[index], rect, time)
        });
        self.assign_stage(&candidates, &mut free, &mut matched, &|_| true, |track, index, rect| {
            // A weak detection continues a track and starts none: one that would be split has nothing to continue.
            let continues = time.saturating_sub(track.last_time) <= self.options.split_after;
            if continues { self.cost(track, &foreseen[index], rect, time) } else { f32::INFINITY }
        });
        let foreseeable = matched.clone();
        self.assign_stage(&candidates, &mut free, &mut matched, &strong, |track, _, rect| {
            let standing = Motion::new(&track.last).after(track.missed(time));
            self.cost(track, &standing, rect, time)
        });

        let mut step = TrackStep { faces: Vec::new(), ended };
        let doubtful = self.doubtful(&foreseen, &matched, &candidates);
        let mut again = Vec::new();
        for (index, track) in self.tracks.iter_mut().enumerate() {
            let Some(candidate) = matched[index].map(|c| &candidates[c]) else {
                track.hidden |= doubtful[index];
                continue;
            };
            let rect = candidate.detection.rect;
            let missed = time.saturating_sub(track.last_time);
            let astray = foreseeable[index].is_none() || turn(track, &rect) > TURNED_BACK;
            let unforeseen = astray && missed > UNFORESEEN;
            if doubtful[index] || track.hidden || unforeseen || missed > self.options.split_after {
                // It ends here; whoever this is starts anew.
                step.ended.extend(track.id.take());
                *track = Track::new(rect, time);
            } else {
                track.motion = foreseen[index];
                track.motion.update(&rect, &track.last, missed.as_secs_f32());
                (track.last, track.last_time) = (rect, time);
                if track.id.is_some() {
                    continue;
                }
            }
            // Seen twice, or sure at once.
            again.push(index);
        }
        for (position, candidate) in candidates.iter().enumerate() {
            if free[position] && strong(candidate) {
                matched.push(Some(position));
                self.tracks.push(Track::new(candidate.detection.rect, time));
                if candidate.detection.score >= self.options.sure_score {
                    again.push(self.tracks.len() - 1);
                }
            }
        }
        for index in again {
            self.confirmed += 1;
            self.tracks[index].id = Some(TrackId(self.confirmed));
        }
        let detection = |index: usize| matched[index].map(|c| candidates[c].index);
        step.faces = self.in_view(time, detection);
        Ok(step)
    }

    /// Tracks of which motion cannot say any more who they are: those that should be seen and are not while another face
    /// stands there, and the track that the other face was given to.
    fn doubtful(&self, foreseen: &[Motion], matched: &[Option<usize>], candidates: &[Candidate<'_>]) -> Vec<bool> {
        let mut doubtful = vec![false; self.tracks.len()];
        for (lost, _) in matched.iter().enumerate().filter(|(_, found)| found.is_none()) {
            if self.tracks[lost].hidden {
                continue; // it was told already when it vanished
            }
            let place = foreseen[lost].rect();
            for (other, found) in matched.iter().enumerate() {
                let covering = found.map(|c| candidates[c].detection.rect.intersection(&place));
                if covering.is_some_and(|covering| covering > COVERED * place.area()) {
                    (doubtful[lost], doubtful[other]) = (true, true);
                }
            }
        }
        doubtful
    }

    /// Where the tracked faces should be at `time`, in a frame without detections. Changes nothing.
    pub fn predict(&self, time: Duration) -> Vec<TrackedFace> {
        self.in_view(time, |_| None)
    }

    /// The scene was cut: every track is over. Returns the confirmed ones.
    pub fn cut(&mut self) -> Vec<TrackId> {
        self.end_where(|_, _| true)
    }

    /// The video is over. Returns the tracks that were running.
    pub fn finish(&mut self) -> Vec<TrackId> {
        self.cut()
    }

    /// A number for a part of a track that turned out to be another person's.
    pub fn number(&mut self) -> TrackId {
        self.confirmed += 1;
        TrackId(self.confirmed)
    }

    fn end_where(&mut self, over: impl Fn(&Track, &TrackOptions) -> bool) -> Vec<TrackId> {
        let (ended, running): (Vec<Track>, Vec<Track>) = self.tracks.drain(..).partition(|track| over(track, &self.options));
        self.tracks = running;
        ended.into_iter().filter_map(|track| track.id).collect()
    }

    /// Assigns the free candidates for which `wanted` holds to the tracks that are not matched yet.
    fn assign_stage(
        &self,
        candidates: &[Candidate<'_>],
        free: &mut [bool],
        matched: &mut [Option<usize>],
        wanted: &dyn Fn(&Candidate<'_>) -> bool,
        cost: impl Fn(&Track, usize, &Rect) -> f32,
    ) {
        let rows: Vec<usize> = (0..self.tracks.len()).filter(|&index| matched[index].is_none()).collect();
        let columns: Vec<usize> = (0..candidates.len()).filter(|&index| free[index] && wanted(&candidates[index])).collect();
        let mut costs = Vec::with_capacity(rows.len() * columns.len());
        for &row in &rows {
            costs.extend(columns.iter().map(|&column| cost(&self.tracks[row], row, &candidates[column].detection.rect)));
        }
        for (row, column) in rows.iter().zip(assign(&costs, rows.len(), columns.len(), ALONE)) {
            if let Some(column) = column.map(|column| columns[column]) {
                matched[*row] = Some(column);
                free[column] = false;
            }
        }
    }

    /// How badly a box fits a track that is foreseen at `motion`: 0 is perfect, about 1 the worst that is still possible,
    /// infinite what is not.
    fn cost(&self, track: &Track, motion: &Motion, rect: &Rect, time: Duration) -> f32 {
        let missed = track.missed(time);
        let scale = motion.side().max(side(rect));
        let distance = motion.center().distance(rect.center()) / scale;
        let gate = (GATE.0 + GATE_DEVIATIONS * motion.uncertainty() / scale).min(GATE.1);
        let growth = (side(rect) / motion.side()).ln().abs() / MOST_GROWTH.ln();
        if distance > gate || growth > 1.0 {
            return f32::INFINITY;
        }
        // Somebody in view has more right to a box than somebody who has been missed.
        distance / gate + 0.4 * growth + 0.3 * missed.min(1.0) + 0.15 * turn(track, rect)
    }

    /// The confirmed tracks that are in view or were a moment ago.
    fn in_view(&self, time: Duration, detection: impl Fn(usize) -> Option<usize>) -> Vec<TrackedFace> {
        let near = |track: &Track| time.saturating_sub(track.last_time) <= self.options.coast;
        let rects: Vec<(usize, Rect)> = self
            .tracks
            .iter()
            .enumerate()
            .filter(|(_, track)| near(track))
            .map(|(index, track)| {
                (index, if detection(index).is_some() { track.last } else { track.motion.after(track.missed(time)).rect() })
            })
            .collect();
        let face = |&(index, rect): &(usize, Rect)| {
            let track = &self.tracks[index];
            let velocity = track.motion.velocity();
            Some(TrackedFace {
                track: track.id?,
                rect,
                detection: detection(index),
                speed: velocity.x.hypot(velocity.y) / track.motion.side().max(1.0),
                ambiguous: rects.iter().any(|(other, near)| *other != index && touches(near, &rect)),
            })
        };
        let mut faces: Vec<TrackedFace> = rects.iter().filter_map(face).collect();
        faces.sort_by_key(|face| face.track);
        faces
    }
}

impl Track {
    fn new(rect: Rect, time: Duration) -> Self {
        Self { id: None, motion: Motion::new(&rect), last: rect, last_time: time, hidden: false }
    }

    /// Seconds since it was last seen.
    fn missed(&self, time: Duration) -> f32 {
        time.saturating_sub(self.last_time).as_secs_f32()
    }
}

/// Whether two boxes share more than a tenth of the smaller one.
fn touches(a: &Rect, b: &Rect) -> bool {
    a.intersection(b) > 0.1 * a.area().min(b.area())
}

/// How much a track would have to turn to reach `rect`: 0 straight on, 1 back. Counts only for faces that really move
/// (velocity consistency, OC-SORT).
fn turn(track: &Track, rect: &Rect) -> f32 {
    let (velocity, from, to) = (track.motion.velocity(), track.last.center(), rect.center());
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let (speed, moved) = (velocity.x.hypot(velocity.y), dx.hypot(dy));
    let scale = track.motion.side();
    if speed < 0.5 * scale || moved < 0.15 * scale {
        return 0.0;
    }
    (1.0 - (velocity.x * dx + velocity.y * dy) / (speed * moved)) / 2.0
}
