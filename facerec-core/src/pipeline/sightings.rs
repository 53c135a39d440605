//! The loop over a video's frames, driven by whoever iterates over its results.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::asked::Asked;
use super::cadence::Pacer;
use super::people::{Means, People};
use super::running::RunningTrack;
use super::segment::Moment;
use super::sighting::{Progress, Sighting, VideoSummary};
use super::standing::Standing;
use super::workers::{Looked, Promise, Workers, look};
use super::{KnownPeople, VideoPipeline};
use crate::error::{Error, Result};
use crate::face::Detection;
use crate::track::{CutDetector, SceneChange, TrackId, Tracker};
use crate::video::{Frame, FrameSource};

/// One sighting per track of a video, each as soon as it is final. After the last one, an error that ended the video early is
/// given once; [`Sightings::summary`] tells the numbers.
pub struct Sightings<'g> {
    pipeline: VideoPipeline,
    known: KnownPeople<'g>,
    source: Box<dyn FrameSource + 'g>,
    workers: Workers,
    state: State,
    started: Instant,
    ready: VecDeque<Sighting>,
    failure: Option<Error>,
    /// Frames that were handed out and not yet followed up, in order.
    ahead: VecDeque<Ahead>,
    pacer: Pacer,
    standing: Standing,
    cuts: CutDetector,
    clock: Clock,
    ended: bool,
    done: bool,
}

/// A frame in the hands of the workers.
struct Ahead {
    frame: Coming,
    /// To look at it again, as long as it is open how the video stands.
    again: Option<Arc<Frame>>,
    looked: Promise<Looked>,
}

/// What is known of a frame before anybody looks at it.
struct Coming {
    moment: Moment,
    /// A scene begins.
    cut: bool,
    /// From here on the video is read by another turn.
    turned: bool,
    /// Scene or time may have jumped since the frame before it that was looked at.
    doubt: bool,
    /// Frames before it that nobody looked at.
    skipped: Vec<Moment>,
}

/// The usual time between frames.
#[derive(Default)]
struct Clock {
    last: Option<Duration>,
    usual: Duration,
}

/// A source whose next frame is later than usual by this factor, and at least so late, has left something out.
const LEFT_OUT: (f32, Duration) = (2.5, Duration::from_millis(150));

impl Clock {
    /// Whether frames are missing before the one at `time`.
    fn jumps(&mut self, time: Duration) -> bool {
        let Some(last) = self.last.replace(time) else { return false };
        let step = time.saturating_sub(last);
        let jumps = !self.usual.is_zero() && step >= LEFT_OUT.1 && step > self.usual.mul_f32(LEFT_OUT.0);
        // What comes late again and again is usual; what comes early is so at once.
        self.usual = if self.usual.is_zero() { step } else { step.min(self.usual.mul_f32(1.25)) };
        jumps
    }
}

/// What is known of the video so far.
struct State {
    tracker: Tracker,
    running: BTreeMap<TrackId, RunningTrack>,
    people: People,
    /// The latest frames, as far back as boxes are interpolated.
    recent: VecDeque<Moment>,
    skipped: Vec<Moment>,
    next_announcement: Duration,
    summary: VideoSummary,
}

/// Frames handed out beyond those being worked on, so that no worker waits. Each more is a frame's memory, and makes the
/// cadence learn later of what it saw.
const SPARE: usize = 2;

/// Frames remembered for interpolation.
const RECENT: usize = 128;

/// How often running tracks are looked at for announcements.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(1);

impl<'g> Sightings<'g> {
    pub(super) fn new(pipeline: VideoPipeline, source: Box<dyn FrameSource + 'g>, known: KnownPeople<'g>) -> Result<Self> {
        let workers = Workers::new(pipeline.options.workers)?;
        let state = State {
            tracker: Tracker::new(pipeline.options.tracker.clone()),
            running: BTreeMap::new(),
            people: People::default(),
            recent: VecDeque::new(),
            skipped: Vec::new(),
            next_announcement: ANNOUNCE_EVERY,
            summary: VideoSummary::default(),
        };
        let (pacer, standing) = (Pacer::new(pipeline.options.cadence), Standing::new(&pipeline));
        Ok(Self {
            pipeline,
            known,
            source,
            workers,
            state,
            started: Instant::now(),
            ready: VecDeque::new(),
            failure: None,
            ahead: VecDeque::new(),
            pacer,
            standing,
            cuts: CutDetector::new(),
            clock: Clock::default(),
            ended: false,
            done: false,
        })
    }

    /// The video in numbers: complete once the iterator has ended, so far before.
    pub fn summary(&self) -> &VideoSummary {
        &self.state.summary
    }

    /// How far the video has been looked through.
    pub fn progress(&self) -> Progress {
        let State { summary, running, .. } = &self.state;
        Progress { frames: summary.frames, total: self.source.info().frames, time: summary.duration, tracks: running.len() }
    }

    /// Does the next piece of work: reads a frame, or follows up the oldest one that was handed out.
    fn step(&mut self) -> Result<()> {
        if self.pipeline.options.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        // A fixed number of frames ahead, not "as many as are done": the cadence then never depends on timing.
        if !self.ended && self.ahead.len() < self.workers.count() + SPARE {
            return self.read();
        }
        let Some(ahead) = self.ahead.pop_front() else { return self.finish() };
        let Ahead { looked, frame, .. } = ahead;
        match looked.wait() {
            Ok(looked) => self.follow_up(frame, looked),
            Err(error) => {
                // As with a source that fails: what was seen before is still worth its results.
                (self.ended, self.failure) = (true, Some(error));
                self.ahead.clear();
                Ok(())
            }
        }
    }

    fn read(&mut self) -> Result<()> {
        let start = Instant::now();
        let frame = self.source.next_frame();
        self.state.summary.stages.decode += start.elapsed();
        let frame = match frame {
            Ok(Some(frame)) => frame,
            ended => {
                // What was read is still worth its results.
                (self.ended, self.failure) = (true, ended.err());
                self.state.summary.reception = self.source.reception();
                return Ok(());
            }
        };
        let moment = (frame.index(), frame.time());
        self.state.summary.frames += 1;
        self.state.summary.duration = moment.1;
        let change = self.cuts.compare(&frame.thumbnail()?, moment.1);
        let late = self.clock.jumps(moment.1);
        if change == SceneChange::CutBefore
            && let Some(before) = self.ahead.back_mut()
        {
            before.frame.cut = true; // it was in doubt, and so it was looked at, and nobody followed it up yet
        }
        let cut = change == SceneChange::Cut;
        let doubt = late || change == SceneChange::Doubt;
        if !self.pacer.is_due(moment.1, cut || doubt) {
            self.state.skipped.push(moment);
            return Ok(());
        }
        let frame = Arc::new(frame);
        let turned = self.standing.ask(&frame, &self.workers);
        if turned {
            self.look_again();
        }
        let looked = self.look(Arc::clone(&frame));
        let skipped = std::mem::take(&mut self.state.skipped);
        let coming = Coming { moment, cut, turned: turned && self.ahead.is_empty(), doubt, skipped };
        self.ahead.push_back(Ahead { frame: coming, again: self.standing.is_open().then_some(frame), looked });
        Ok(())
    }

    fn look(&self, frame: Arc<Frame>) -> Promise<Looked> {
        let (detector, embedder) = (Arc::clone(&self.pipeline.detector), Arc::clone(&self.pipeline.embedder));
        let turn = self.standing.turn();
        self.workers.submit(move || look(&frame, turn, &*detector, &*embedder))
    }

    /// The video stands otherwise than the frames that nobody followed up yet were looked at.
    fn look_again(&mut self) {
        let mut ahead = std::mem::take(&mut self.ahead);
        for (index, ahead) in ahead.iter_mut().enumerate() {
            if let Some(frame) = &ahead.again {
                ahead.looked = self.look(Arc::clone(frame));
                ahead.frame.turned = index == 0;
            }
        }
        self.ahead = ahead;
    }

    fn follow_up(&mut self, frame: Coming, looked: Looked) -> Result<()> {
        let start = Instant::now();
        let Coming { moment, cut, turned, doubt, skipped } = frame;
        let state = &mut self.state;
        state.summary.frames_detected += 1;
        state.summary.detections += looked.faces.len() as u64;
        state.summary.stages.convert += looked.convert;
        state.summary.stages.detect += looked.detect;
        state.summary.stages.quality += looked.quality;
        state.recent.extend(skipped);
        let options = &self.pipeline.options;
        state.summary.cuts += u64::from(cut);
        state.summary.turned_deg = looked.turn.degrees();
        if cut || turned {
            let ended = state.tracker.cut();
            state.end(&ended, &self.pipeline);
        }
        let detections: Vec<Detection> = looked.faces.iter().map(|face| face.detection).collect();
        let step = state.tracker.update(moment.1, &detections)?;
        for tracked in &step.faces {
            let Some(face) = tracked.detection.and_then(|index| looked.faces.get(index)) else { continue };
            let track = state.running.entry(tracked.track).or_insert_with(|| {
                self.standing.newcomer();
                RunningTrack::new(tracked.track.0)
            });
            let segment = track.see(moment, tracked.rect, &face.looks, doubt, &state.recent);
            segment.offer(moment, &looked, face, covered(&face.detection, &detections), options);
        }
        state.end(&step.ended, &self.pipeline);
        self.pacer.learn(&step.faces);
        state.recent.push_back(moment);
        let excess = state.recent.len().saturating_sub(RECENT);
        state.recent.drain(..excess);
        state.summary.stages.track += start.elapsed();
        if state.people.is_due(moment.1) {
            self.report(Some(moment.1))?;
        } else if self.state.people.is_full(self.state.running.values()) {
            self.tell_apart()?;
        }
        if self.pipeline.options.provisional && moment.1 >= self.state.next_announcement {
            self.state.next_announcement = moment.1.saturating_add(ANNOUNCE_EVERY);
            self.announce()?;
        }
        if let Some(call) = &self.pipeline.options.progress {
            call(&self.progress());
        }
        Ok(())
    }

    fn report(&mut self, now: Option<Duration>) -> Result<()> {
        let sightings = self.with_means(|people, running, means| people.report(now, running.values_mut(), means))?;
        self.ready.extend(sightings);
        Ok(())
    }

    fn announce(&mut self) -> Result<()> {
        let sightings = self.with_means(|people, running, means| people.announce(running.values_mut(), means))?;
        self.ready.extend(sightings);
        Ok(())
    }

    fn tell_apart(&mut self) -> Result<()> {
        self.with_means(|people, running, means| people.tell_apart(&mut running.values_mut().collect::<Vec<_>>(), means))
    }

    fn with_means<T>(
        &mut self,
        work: impl FnOnce(&mut People, &mut BTreeMap<TrackId, RunningTrack>, &mut Means<'_>) -> Result<T>,
    ) -> Result<T> {
        let State { running, people, summary, tracker, .. } = &mut self.state;
        let VideoPipeline { embedder, options, .. } = &self.pipeline;
        let gallery = self.known.gallery().map(|gallery| Asked::new(gallery, options));
        let mut means = Means { gallery, workers: &self.workers, embedder, options, summary, tracker, step: self.clock.usual };
        work(people, running, &mut means)
    }

    fn finish(&mut self) -> Result<()> {
        let ended = self.state.tracker.finish();
        self.state.end(&ended, &self.pipeline);
        self.report(None)?;
        self.done = true;
        self.state.summary.wall = self.started.elapsed();
        Ok(())
    }
}

impl State {
    /// These tracks are over: their people may come back for a while.
    fn end(&mut self, tracks: &[TrackId], pipeline: &VideoPipeline) {
        for track in tracks.iter().filter_map(|track| self.running.remove(track)) {
            self.people.add(track, &pipeline.options);
        }
    }
}

/// The largest share of a face's box that another face of the frame covers.
fn covered(face: &Detection, all: &[Detection]) -> f32 {
    let area = face.rect.area().max(f32::EPSILON);
    let others = all.iter().filter(|other| other.rect != face.rect);
    others.map(|other| face.rect.intersection(&other.rect) / area).fold(0.0, f32::max)
}

impl Iterator for Sightings<'_> {
    type Item = Result<Sighting>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(sighting) = self.ready.pop_front() {
                return Some(Ok(sighting));
            }
            if self.done {
                return self.failure.take().map(Err);
            }
            if let Err(error) = self.step() {
                (self.done, self.failure) = (true, None);
                self.state.summary.reception = self.source.reception();
                self.state.summary.wall = self.started.elapsed();
                return Some(Err(error));
            }
        }
    }
}

impl std::iter::FusedIterator for Sightings<'_> {}

impl std::fmt::Debug for Sightings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sightings").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
