//! What `facerec video` prints.

use std::collections::BTreeMap;
use std::time::Duration;

use facerec_core::pipeline::{BestShot, Stages, TrackBox};
use facerec_core::report::clock;
use facerec_core::{Absence, Reception, Sighting, VideoSummary};
use serde::Serialize;

use super::super::record::{CandidateRecord, QualityRecord, count, round};

/// A track in the JSON of `video`.
#[derive(Debug, Serialize)]
pub(super) struct SightingRecord<'a> {
    track: u64,
    person: Option<&'a str>,
    similarity: f64,
    threshold: f64,
    margin: f64,
    reason: &'static str,
    candidates: Vec<CandidateRecord<'a>>,
    start_ms: u64,
    end_ms: u64,
    spans_ms: Vec<[u64; 2]>,
    frames: u64,
    embeddings: usize,
    best_shots: Vec<ShotRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boxes: Option<Vec<BoxRecord>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    provisional: bool,
}

#[derive(Debug, Serialize)]
struct ShotRecord {
    ms: u64,
    frame: u64,
    #[serde(rename = "box")]
    rect: [f64; 4],
    quality: QualityRecord,
}

/// `[frame, ms, x1, y1, x2, y2]`.
#[derive(Debug, Serialize)]
struct BoxRecord(u64, u64, f64, f64, f64, f64);

impl<'a> SightingRecord<'a> {
    pub(super) fn new(sighting: &'a Sighting, boxes: bool) -> Self {
        let decision = &sighting.decision;
        Self {
            track: sighting.track,
            person: sighting.name(),
            similarity: round(decision.similarity, 4),
            threshold: round(decision.threshold, 4),
            margin: round(decision.margin, 4),
            reason: decision.reason.code(),
            candidates: decision.candidates.iter().map(CandidateRecord::new).collect(),
            start_ms: ms(sighting.start),
            end_ms: ms(sighting.end),
            spans_ms: sighting.spans.iter().map(|&(start, end)| [ms(start), ms(end)]).collect(),
            frames: sighting.frames,
            embeddings: sighting.embeddings,
            best_shots: sighting.best_shots.iter().map(ShotRecord::new).collect(),
            boxes: boxes.then(|| sighting.boxes.iter().map(BoxRecord::new).collect()),
            provisional: sighting.provisional,
        }
    }
}

impl ShotRecord {
    fn new(shot: &BestShot) -> Self {
        let rect = [shot.rect.x1, shot.rect.y1, shot.rect.x2, shot.rect.y2].map(|v| round(v, 2));
        Self { ms: ms(shot.time), frame: shot.frame, rect, quality: QualityRecord::new(&shot.quality) }
    }
}

impl BoxRecord {
    fn new(one: &TrackBox) -> Self {
        let rect = one.rect;
        Self(one.frame, ms(one.time), round(rect.x1, 2), round(rect.y1, 2), round(rect.x2, 2), round(rect.y2, 2))
    }
}

/// The last line.
#[derive(Debug, Serialize)]
pub(super) struct SummaryRecord {
    frames: u64,
    lost_frames: u64,
    left_out: LeftOutRecord,
    clock_jumps: u64,
    /// `[from, to]`, without `to` when it did not come back.
    absences_ms: Vec<[Option<u64>; 2]>,
    duration_ms: u64,
    tracks: usize,
    persons: BTreeMap<String, Vec<[u64; 2]>>,
    unknown_tracks: usize,
    frames_detected: u64,
    detections: u64,
    embeddings: u64,
    cuts: u64,
    turned_deg: u32,
    wall_ms: u64,
    stages: BTreeMap<&'static str, f64>,
}

/// Frames, and packets of frames, by the reason.
#[derive(Debug, Serialize)]
struct LeftOutRecord {
    too_slow: u64,
    undecodable: u64,
}

impl SummaryRecord {
    pub(super) fn new(summary: &VideoSummary) -> Self {
        let reception = &summary.reception;
        let spans = |spans: &Vec<(Duration, Duration)>| spans.iter().map(|&(start, end)| [ms(start), ms(end)]).collect();
        Self {
            frames: summary.frames,
            lost_frames: reception.left_out(),
            left_out: LeftOutRecord { too_slow: reception.too_slow, undecodable: reception.undecodable },
            clock_jumps: reception.clock_jumps,
            absences_ms: reception.absences.iter().map(|absence| [Some(ms(absence.from)), absence.to.map(ms)]).collect(),
            duration_ms: ms(summary.duration),
            tracks: summary.tracks,
            persons: summary.persons.iter().map(|(name, times)| (name.clone(), spans(times))).collect(),
            unknown_tracks: summary.unknown_tracks,
            frames_detected: summary.frames_detected,
            detections: summary.detections,
            embeddings: summary.embeddings,
            cuts: summary.cuts,
            turned_deg: summary.turned_deg,
            wall_ms: ms(summary.wall),
            stages: stages(&summary.stages).into_iter().collect(),
        }
    }
}

/// Milliseconds per stage.
fn stages(stages: &Stages) -> [(&'static str, f64); 7] {
    let Stages { decode, convert, detect, quality, track, embed, identify, .. } = *stages;
    let named = [
        ("decode", decode),
        ("convert", convert),
        ("detect", detect),
        ("quality", quality),
        ("track", track),
        ("embed", embed),
        ("identify", identify),
    ];
    named.map(|(name, time)| (name, (time.as_secs_f64() * 1e4).round() / 10.0))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `0:03.2-0:07.9  Ana  0.71  track 4, 118 frames, 3 shots`.
pub(super) fn describe(sighting: &Sighting) -> String {
    let decision = &sighting.decision;
    let reason = match (sighting.name(), decision.candidates.first()) {
        (Some(_), _) => format!("threshold {:.2}, margin {:.2}", decision.threshold, decision.margin),
        (None, Some(best)) => format!("nearest: {}; {}", best.name, decision.reason.code().replace('_', " ")),
        (None, None) => decision.reason.code().replace('_', " "),
    };
    format!(
        "{}-{}  {:<20} {:>5.2}  track {}, {}, {} ({reason}){}\n",
        clock(sighting.start),
        clock(sighting.end),
        sighting.name().unwrap_or("unknown"),
        decision.similarity,
        sighting.track,
        count(usize::try_from(sighting.frames).unwrap_or(usize::MAX), "frame", "frames"),
        count(sighting.best_shots.len(), "shot", "shots"),
        if sighting.provisional { "  so far" } else { "" },
    )
}

pub(super) fn summarise(summary: &VideoSummary) -> String {
    let mut text = format!(
        "\n{} frames, {} of video in {:.1} s; {} ({} unknown), {} detections, {} embeddings\n",
        summary.frames,
        clock(summary.duration),
        summary.wall.as_secs_f64(),
        count(summary.tracks, "track", "tracks"),
        summary.unknown_tracks,
        summary.detections,
        summary.embeddings
    );
    for (name, spans) in &summary.persons {
        let spans: Vec<String> = spans.iter().map(|&(start, end)| format!("{}-{}", clock(start), clock(end))).collect();
        text += &format!("  {name}: {}\n", spans.join(", "));
    }
    for remark in remarks(&summary.reception) {
        text += &format!("  {remark}\n");
    }
    text
}

/// What is to be known of how a live source was received.
pub(super) fn remarks(reception: &Reception) -> Vec<String> {
    let number = |count: u64, one: &str, more: &str| self::count(usize::try_from(count).unwrap_or(usize::MAX), one, more);
    let mut remarks = Vec::new();
    if reception.too_slow > 0 {
        let frames = number(reception.too_slow, "frame", "frames");
        remarks
            .push(format!("{frames} left out: they came faster than they could be looked at (`--backlog SECONDS` lets them wait longer)"));
    }
    if reception.undecodable > 0 {
        remarks.push(format!("{} left out: they arrived damaged", number(reception.undecodable, "packet", "packets")));
    }
    if reception.clock_jumps > 0 {
        remarks.push(format!("the source's clock jumped {}: times go on without", number(reception.clock_jumps, "time", "times")));
    }
    for Absence { from, to, .. } in &reception.absences {
        let to = to.map_or_else(|| "the end".into(), clock);
        remarks.push(format!("the source was away from {} to {to}", clock(*from)));
    }
    remarks
}
