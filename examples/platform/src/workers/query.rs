//! Videos: who is in them, one result per track.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use facerec_core::{CancelToken, Rect, Sighting, VideoPipeline, VideoReader, VideoSummary};
use tokio::sync::mpsc;

use super::{check_attempts, holding, report, serve};
use crate::app::App;
use crate::error::{Error, Result};
use crate::jobs::{Claim, Kind};
use crate::litter;
use crate::results::{CandidateDocument, Shot, Track, TrackDocument, What};

/// Looks through videos until the process is to end.
pub async fn query(app: App, number: usize) {
    let work = |app: App, claim: Claim| async move {
        let cancel = CancelToken::new();
        let outcome = holding(&app, &claim, || cancel.cancel(), look_through(&app, &claim, &cancel)).await;
        // A session that was removed meanwhile: what was written since must not stay behind.
        if exists(&app, &claim).await.is_ok_and(|exists| !exists) {
            litter::remove_now(&app, &format!("sessions/{}", claim.id)).await;
        }
        outcome
    };
    serve(app, Kind::Query, number, work).await;
}

/// How often progress is reported.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

async fn exists(app: &App, claim: &Claim) -> Result<bool> {
    Ok(sqlx::query("SELECT id FROM session WHERE id = $1").bind(&claim.id).fetch_optional(app.db.pool()).await?.is_some())
}

async fn look_through(app: &App, claim: &Claim, cancel: &CancelToken) -> Result<()> {
    check_attempts(app, claim)?;
    if !exists(app, claim).await? {
        return Err(Error::Core(facerec_core::Error::Cancelled));
    }
    let video = app.blobs.fetch(&format!("sessions/{}/video", claim.id)).await?;
    let video = video.ok_or_else(|| Error::Invalid("the video is gone".into()))?;

    // The thread that looks sends sightings here, a few at most: a slow database slows the video instead of filling memory.
    let (found, mut sightings) = mpsc::channel::<Sighting>(4);
    let seen = Arc::new(Seen::default());
    let (token, progress) = (cancel.clone(), Arc::clone(&seen));
    let looking = app.blocking(move |app| watch(app, &video, token, progress, &found));
    tokio::pin!(looking);
    let mut tracks = 0;
    let mut tick = tokio::time::interval(PROGRESS_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = None;
    let mut stopping = false;
    let summary = loop {
        tokio::select! {
            Some(sighting) = sightings.recv() => {
                keep(app, claim, sighting).await.inspect_err(|_| cancel.cancel())?;
                tracks += 1;
            }
            summary = &mut looking => break summary,
            _ = tick.tick() => {
                let now = seen.progress();
                if last != Some(now) {
                    last = Some(now);
                    report(app, claim, What::Progress { progress: now.0, frames: now.1 }).await.inspect_err(|_| cancel.cancel())?;
                }
            }
            () = app.stopped(), if !stopping => {
                stopping = true;
                cancel.cancel(); // the process ends: another worker shall have the job at once
            }
        }
    };
    let summary = match summary {
        Err(Error::Core(error)) if stopping && error.kind().code() == "cancelled" => {
            return app.queue.release(claim, "the worker was stopped", Duration::ZERO, false).await;
        }
        summary => summary?,
    };
    while let Some(sighting) = sightings.recv().await {
        keep(app, claim, sighting).await?;
        tracks += 1;
    }
    let frames = i64::try_from(summary.frames).unwrap_or(i64::MAX);
    report(app, claim, What::Done { tracks, frames, duration_ms: ms(summary.duration) }).await
}

/// How far the video has been looked through; the duration travels through a mutex to stay one value with the frames.
#[derive(Default)]
struct Seen {
    frames: AtomicU64,
    total: Mutex<Option<u64>>,
}

impl Seen {
    fn progress(&self) -> (f64, i64) {
        let frames = self.frames.load(Ordering::Relaxed);
        let total = self.total.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(0);
        // Files state their length only roughly; 1 is for what is done.
        let part = if total == 0 { 0.0 } else { (frames as f64 / total as f64).min(0.99) };
        (part, i64::try_from(frames).unwrap_or(i64::MAX))
    }
}

fn watch(app: &App, video: &std::path::Path, cancel: CancelToken, seen: Arc<Seen>, found: &mpsc::Sender<Sighting>) -> Result<VideoSummary> {
    let options = app.vision.video_options().boxes(true).cancel(cancel);
    let options = match app.config.work.frames_at_once {
        0 => options,
        workers => options.workers(workers),
    };
    let options = options.progress(Arc::new(move |progress| {
        seen.frames.store(progress.frames, Ordering::Relaxed);
        *seen.total.lock().unwrap_or_else(PoisonError::into_inner) = progress.total;
    }));
    let pipeline = VideoPipeline::new(Arc::clone(&app.vision.detector), Arc::clone(&app.vision.embedder), options)?;
    let mut sightings = pipeline.run(VideoReader::open(video)?, Arc::clone(&app.gallery))?;
    for sighting in sightings.by_ref() {
        if found.blocking_send(sighting?).is_err() {
            return Err(facerec_core::Error::Cancelled.into()); // nobody listens any more
        }
    }
    Ok(sightings.summary().clone())
}

/// Where the files of a track lie; every attempt has its own.
pub fn track_key(session: &str, attempt: i64, track: i64) -> String {
    format!("sessions/{session}/{attempt}/{track}")
}

/// Keeps pictures and boxes of a track, then reports it.
async fn keep(app: &App, claim: &Claim, mut sighting: Sighting) -> Result<()> {
    let track = i64::try_from(sighting.track).unwrap_or(i64::MAX);
    let key = track_key(&claim.id, claim.attempt, track);
    let boxes: Vec<[f64; 6]> = sighting
        .boxes
        .iter()
        .filter(|at| is_finite(&at.rect))
        .map(|at| {
            let round = |value: f32| (f64::from(value) * 10.0).round() / 10.0;
            [at.frame as f64, at.time.as_millis() as f64, round(at.rect.x1), round(at.rect.y1), round(at.rect.x2), round(at.rect.y2)]
        })
        .collect();
    let boxes = serde_json::to_vec(&boxes).map_err(|e| Error::Internal(format!("boxes cannot be written: {e}")))?;
    app.blobs.put(&format!("{key}/boxes"), boxes.into()).await?;
    // JSON has no word for a number that is not finite, and nothing can be done with such a shot.
    sighting.best_shots.retain(|shot| is_finite(&shot.rect) && shot.quality.score.is_finite());
    for (number, shot) in sighting.best_shots.iter().enumerate() {
        if let Some(picture) = &shot.picture {
            let jpeg: Bytes = picture.encode_jpeg(88)?.into();
            app.blobs.put(&format!("{key}/{number}"), jpeg).await?;
        }
    }
    report(app, claim, What::Track(Box::new(as_track(track, &sighting)))).await
}

fn is_finite(rect: &Rect) -> bool {
    [rect.x1, rect.y1, rect.x2, rect.y2].into_iter().all(f32::is_finite)
}

fn as_track(track: i64, sighting: &Sighting) -> Track {
    let decision = &sighting.decision;
    let shot = |shot: &facerec_core::BestShot| Shot {
        ms: ms(shot.time),
        frame: shot.frame,
        rect: [shot.rect.x1, shot.rect.y1, shot.rect.x2, shot.rect.y2],
        quality: shot.quality.score,
        vector: shot.embedding.as_slice().to_vec(),
    };
    let candidate = |candidate: &facerec_core::Candidate| CandidateDocument {
        person_id: candidate.person.to_string(),
        person: candidate.name.clone(),
        similarity: candidate.similarity,
    };
    let document = TrackDocument {
        similarity: decision.similarity,
        threshold: decision.threshold,
        margin: decision.margin,
        reason: decision.reason.code().into(),
        start_ms: ms(sighting.start),
        end_ms: ms(sighting.end),
        frames: sighting.frames,
        spans_ms: sighting.spans.iter().map(|&(start, end)| [ms(start), ms(end)]).collect(),
        shots: sighting.best_shots.iter().map(shot).collect(),
        candidates: decision.candidates.iter().map(candidate).collect(),
    };
    Track { track, person_id: decision.person.map(|id| id.to_string()), person: decision.name.clone(), document }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
