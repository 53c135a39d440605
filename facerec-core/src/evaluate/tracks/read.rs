//! Truth and result files: JSON Lines as `facerec --json video --boxes` prints them, or MOTChallenge text.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::FrameBox;
use crate::error::{Error, Result};
use crate::geometry::Rect;

/// The tracks of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrackFile {
    /// Identities of a truth, or tracks of a result.
    pub tracks: Vec<TruthTrack>,
}

/// One identity or track.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthTrack {
    /// The person's name, when it is known (truth) or was recognised (result).
    pub person: Option<String>,
    /// In a truth: whether the person is in the gallery. Default yes for those with a name.
    pub enrolled: bool,
    /// The boxes.
    pub boxes: Vec<FrameBox>,
}

/// A line of JSON. Other members, and lines that are not about a track, are ignored.
#[derive(Deserialize)]
struct Line {
    track: Option<u64>,
    person: Option<String>,
    enrolled: Option<bool>,
    boxes: Option<Vec<[f64; 6]>>,
    #[serde(default)]
    provisional: bool,
}

/// Frames a second that MOT text is taken to have, which states no times.
const MOT_RATE: f64 = 25.0;

impl TrackFile {
    /// Reads a file. One whose first letter is `{` is JSON Lines: `{"person": name or null, "boxes": [[frame, ms, x1, y1, x2, y2],
    /// ...]}`, frames from 0, in a truth also `"enrolled"`. Any other is MOT text: `frame,id,left,top,width,height,...`, frames
    /// from 1; a seventh value of 0 marks a box to be ignored.
    ///
    /// # Errors
    /// `io` when it cannot be read, `invalid_argument` with the line that cannot be understood.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
        let wrong = |(line, reason): (usize, String)| {
            Error::argument("tracks", format!("{}, line {}: {reason}", crate::text::escape_path(path), line + 1))
        };
        if text.trim_start().starts_with('{') { json(&text) } else { mot(&text) }.map_err(wrong)
    }
}

fn json(text: &str) -> Result<TrackFile, (usize, String)> {
    let mut tracks = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).map_err(|error| (number, error.to_string()))?;
        if line.provisional {
            continue;
        }
        let boxes = match (line.boxes, line.track) {
            (Some(boxes), _) => boxes,
            (None, Some(track)) => return Err((number, format!("track `{track}` has no boxes; run `facerec video` with `--boxes`"))),
            (None, None) => continue,
        };
        let boxes = boxes.iter().map(|&[frame, ms, x1, y1, x2, y2]| FrameBox {
            frame: frame as i64,
            ms,
            rect: Rect::new(x1 as f32, y1 as f32, x2 as f32, y2 as f32),
        });
        tracks.push(TruthTrack { enrolled: line.enrolled.unwrap_or(true), person: line.person, boxes: boxes.collect() });
    }
    Ok(TrackFile { tracks })
}

fn mot(text: &str) -> Result<TrackFile, (usize, String)> {
    let mut tracks: BTreeMap<i64, Vec<FrameBox>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let values: Vec<f64> = line
            .split(',')
            .map(|value| value.trim().parse().map_err(|_| (number, format!("expected numbers between commas, got `{value}`"))))
            .collect::<Result<_, _>>()?;
        let [frame, id, left, top, width, height, rest @ ..] = values.as_slice() else {
            return Err((number, format!("expected frame,id,left,top,width,height, got `{line}`")));
        };
        if rest.first().is_some_and(|considered| *considered == 0.0) {
            continue;
        }
        let frame = *frame as i64 - 1;
        let rect = Rect::new(*left as f32, *top as f32, (left + width) as f32, (top + height) as f32);
        tracks.entry(*id as i64).or_default().push(FrameBox { frame, ms: frame as f64 * 1000.0 / MOT_RATE, rect });
    }
    let track = |boxes| TruthTrack { person: None, enrolled: false, boxes };
    Ok(TrackFile { tracks: tracks.into_values().map(track).collect() })
}
