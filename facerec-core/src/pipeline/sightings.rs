//! The loop over a video's frames, driven by whoever iterates over its results.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cadence::Pacer;
use super::people::{Means, People};
use super::sighting::{Progress, Sighting, VideoSummary};
use super::tracklet::{Moment, Tracklet};
use super::workers::{Looked, Promise, Workers, look};
use super::{KnownPeople, VideoPipeline};
use crate::error::{Error, Result};
use crate::face::Detection;
use crate::track::{CutDetector, TrackId, Tracker};
use crate::video::FrameSource;

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
    cuts: CutDetector,
    ended: bool,
    done: bool,
}

/// A frame in the hands of the workers.
struct Ahead {
    moment: Moment,
    cut: bool,
    /// Frames before it that nobody looked at.
    skipped: Vec<Moment>,
    looked: Promise<Looked>,
}

/// What is known of the video so far.
struct State {
    tracker: Tracker,
    running: BTreeMap<TrackId, Tracklet>,
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
        let pacer = Pacer::new(pipeline.options.cadence);
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
            cuts: CutDetector::new(),
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
        match ahead.looked.wait() {
            Ok(looked) => self.follow_up(ahead.moment, ahead.cut, ahead.skipped, looked),
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
            Ok(None) => {
                self.ended = true;
                return Ok(());
            }
            Err(error) => {
                // What was read is still worth its results.
                (self.ended, self.failure) = (true, Some(error));
                return Ok(());
            }
        };
        let moment = (frame.index(), frame.time());
        self.state.summary.frames += 1;
        self.state.summary.duration = moment.1;
        let cut = self.cuts.is_cut(&frame.thumbnail()?, moment.1);
        if !self.pacer.is_due(moment.1, cut) {
            self.state.skipped.push(moment);
            return Ok(());
        }
        let (detector, embedder) = (Arc::clone(&self.pipeline.detector), Arc::clone(&self.pipeline.embedder));
        let looked = self.workers.submit(move || look(&frame, &*detector, &*embedder));
        self.ahead.push_back(Ahead { moment, cut, skipped: std::mem::take(&mut self.state.skipped), looked });
        Ok(())
    }

    fn follow_up(&mut self, moment: Moment, cut: bool, skipped: Vec<Moment>, looked: Looked) -> Result<()> {
        let start = Instant::now();
        let state = &mut self.state;
        state.summary.frames_detected += 1;
        state.summary.detections += looked.faces.len() as u64;
        state.summary.stages.convert += looked.convert;
        state.summary.stages.detect += looked.detect;
        state.summary.stages.quality += looked.quality;
        state.recent.extend(skipped);
        let options = &self.pipeline.options;
        if cut {
            state.summary.cuts += 1;
            let ended = state.tracker.cut();
            state.end(&ended, &self.pipeline);
        }
        let detections: Vec<Detection> = looked.faces.iter().map(|face| face.detection).collect();
        let step = state.tracker.update(moment.1, &detections)?;
        for tracked in &step.faces {
            let Some(face) = tracked.detection.and_then(|index| looked.faces.get(index)) else { continue };
            let tracklet = state.running.entry(tracked.track).or_insert_with(|| Tracklet::new(tracked.track.0, moment.1, options));
            tracklet.see(moment, tracked.rect, &state.recent, options.boxes);
            tracklet.offer(moment, &looked.image, face, covered(&face.detection, &detections), options);
        }
        state.end(&step.ended, &self.pipeline);
        self.pacer.learn(&step.faces);
        state.recent.push_back(moment);
        let excess = state.recent.len().saturating_sub(RECENT);
        state.recent.drain(..excess);
        state.summary.stages.track += start.elapsed();
        if state.people.is_due(moment.1) {
            self.report(Some(moment.1))?;
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
        let State { running, people, summary, .. } = &mut self.state;
        let VideoPipeline { embedder, options, .. } = &self.pipeline;
        let mut means = Means { gallery: self.known.gallery(), workers: &self.workers, embedder, options, summary };
        self.ready.extend(people.report(now, running.values_mut(), &mut means)?);
        Ok(())
    }

    fn announce(&mut self) -> Result<()> {
        let State { running, people, summary, .. } = &mut self.state;
        let VideoPipeline { embedder, options, .. } = &self.pipeline;
        let mut means = Means { gallery: self.known.gallery(), workers: &self.workers, embedder, options, summary };
        self.ready.extend(people.announce(running.values_mut(), &mut means)?);
        Ok(())
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
        for tracklet in tracks.iter().filter_map(|track| self.running.remove(track)) {
            self.people.add(tracklet, &pipeline.options);
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
