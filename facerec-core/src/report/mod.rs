//! What people look at after a video: an annotated copy, a page, and the best shots as files.

#[cfg(feature = "video")]
mod annotated;
mod html;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "video")]
pub use annotated::annotate_video;

use crate::error::{Error, Result};
use crate::face::Embedding;
use crate::pipeline::{CLEAR, Sighting, VideoSummary};
use crate::text::address_text;
use crate::track::{RejoinOptions, Tracklet, rejoin};
use crate::video::VideoInfo;

/// Collects the sightings of a video for a page and for files.
#[derive(Debug, Clone)]
pub struct Report {
    title: String,
    info: VideoInfo,
    sightings: Vec<Sighting>,
    summary: VideoSummary,
}

/// Everybody of one name, or an unknown person's tracks.
struct Person<'a> {
    /// `None` for an unknown person.
    name: Option<&'a str>,
    sightings: Vec<&'a Sighting>,
}

impl Report {
    /// An empty report on the video called `title`. The page does not show the secrets of an address.
    pub fn new(title: &str, info: &VideoInfo) -> Self {
        Self {
            title: address_text(Path::new(title)).into_owned(),
            info: info.clone(),
            sightings: Vec::new(),
            summary: VideoSummary::default(),
        }
    }

    /// Adds a final sighting.
    pub fn add(&mut self, sighting: Sighting) {
        self.sightings.push(sighting);
    }

    /// The numbers, once the video is over.
    pub fn finish(&mut self, summary: VideoSummary) {
        self.summary = summary;
    }

    /// The sightings so far.
    pub fn sightings(&self) -> &[Sighting] {
        &self.sightings
    }

    /// Writes one page that needs nothing else: a timeline per person, their best shots, unknown people grouped, the numbers.
    ///
    /// # Errors
    /// `io` when it cannot be written.
    pub fn write_html(&self, path: impl AsRef<Path>) -> Result<()> {
        let page = html::page(self, &self.people()?)?;
        let path = path.as_ref();
        fs::write(path, page).map_err(|error| Error::io("write", path, error))
    }

    /// Writes the best shots as JPEG files named `NAME-track-TIME.jpg` into `folder`, which is made when missing. Returns them.
    ///
    /// # Errors
    /// `io` when a file cannot be written.
    pub fn write_thumbs(&self, folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        let mut written = Vec::new();
        for sighting in &self.sightings {
            for shot in &sighting.best_shots {
                let Some(picture) = &shot.picture else { continue };
                let name = file_name(sighting.name().unwrap_or("unknown"));
                let path = folder.join(format!("{name}-{:03}-{:07}.jpg", sighting.track, shot.time.as_millis()));
                picture.save(&path)?;
                written.push(path);
            }
        }
        Ok(written)
    }

    /// The people of the video: known ones by first appearance, then unknown ones, whose tracks are grouped by what they look like.
    fn people(&self) -> Result<Vec<Person<'_>>> {
        let mut known: BTreeMap<&str, Vec<&Sighting>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for sighting in &self.sightings {
            match sighting.name() {
                Some(name) => known.entry(name).or_default().push(sighting),
                None => unknown.push(sighting),
            }
        }
        let mut people: Vec<Person<'_>> = known.into_iter().map(|(name, sightings)| Person { name: Some(name), sightings }).collect();
        people.sort_by_key(|person| person.start());
        let mut strangers = group_unknown(&unknown)?;
        strangers.sort_by_key(Person::start);
        people.extend(strangers);
        people.iter_mut().for_each(|person| person.sightings.sort_by_key(|sighting| sighting.start));
        Ok(people)
    }
}

/// A time as the page and the command write it: `1:02:03.4`, or `2:03.4` below an hour.
pub fn clock(time: Duration) -> String {
    let (seconds, tenths) = (time.as_secs(), time.subsec_millis() / 100);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}.{tenths}") } else { format!("{minutes}:{seconds:02}.{tenths}") }
}

impl Person<'_> {
    fn start(&self) -> Duration {
        self.sightings.iter().map(|sighting| sighting.start).min().unwrap_or_default()
    }
}

/// Unknown tracks that look like one person, however far apart they are in time.
fn group_unknown<'a>(unknown: &[&'a Sighting]) -> Result<Vec<Person<'a>>> {
    let mut tracklets = Vec::with_capacity(unknown.len());
    for sighting in unknown {
        let clear = sighting.best_shots.iter().filter(|shot| shot.quality.score >= CLEAR);
        let template = Embedding::template(clear.map(|shot| (&shot.embedding, shot.quality.score)))?;
        tracklets.push(Tracklet { spans: sighting.spans.clone(), template, identity: None });
    }
    // As sure as naming somebody from the gallery; every decision carries that threshold.
    let threshold = unknown.iter().map(|sighting| sighting.decision.threshold).fold(-1.0, f32::max);
    let groups = rejoin(&tracklets, &RejoinOptions::new(threshold, Duration::MAX))?;
    let mut people: BTreeMap<usize, Vec<&Sighting>> = BTreeMap::new();
    for (sighting, group) in unknown.iter().zip(groups) {
        people.entry(group).or_default().push(sighting);
    }
    Ok(people.into_values().map(|sightings| Person { name: None, sightings }).collect())
}

/// A name as a file's: letters and digits stay, runs of anything else become one hyphen.
fn file_name(name: &str) -> String {
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let joined = parts.join("-");
    if joined.is_empty() { "person".into() } else { joined }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::face::{ModelKey, Quality};
    use crate::gallery::{Decision, DecisionReason};
    use crate::geometry::Rect;
    use crate::pipeline::BestShot;

    fn stranger(track: u64, degrees: f32, spans: &[(u64, u64)]) -> Sighting {
        let key = Arc::new(ModelKey::new("m", "0"));
        let (sin, cos) = degrees.to_radians().sin_cos();
        let embedding = Embedding::new(key, vec![cos, sin]).expect("finite");
        let quality = Quality {
            score: 1.0,
            sharpness: 1.0,
            yaw_deg: 0.0,
            pitch_deg: 0.0,
            roll_deg: 0.0,
            face_px: 100.0,
            exposure: 0.5,
            recognisability: None,
        };
        let decision = Decision {
            person: None,
            name: None,
            similarity: -1.0,
            threshold: 0.5,
            margin: 0.0,
            reason: DecisionReason::EmptyGallery,
            candidates: Vec::new(),
        };
        let spans: Vec<_> = spans.iter().map(|&(start, end)| (Duration::from_secs(start), Duration::from_secs(end))).collect();
        let (start, end) = (spans[0].0, spans[spans.len() - 1].1);
        let rect = Rect::new(0.0, 0.0, 9.0, 9.0);
        let shot = BestShot { frame: 0, time: start, rect, quality, embedding, picture: None };
        Sighting {
            track,
            start,
            end,
            spans,
            frames: 9,
            decision,
            best_shots: vec![shot],
            embeddings: 1,
            boxes: Vec::new(),
            provisional: false,
        }
    }

    #[test]
    fn unknown_people_are_grouped_by_looks_and_by_when_they_were_in_view() {
        let mut report = Report::new("clip.mp4", &VideoInfo::default());
        report.add(stranger(1, 0.0, &[(0, 2), (8, 10)]));
        report.add(stranger(2, 20.0, &[(4, 6)])); // looks like 1, seen while 1 was away
        report.add(stranger(3, -30.0, &[(9, 12)])); // looks like 1 and 2, seen beside 1
        report.add(stranger(4, 90.0, &[(20, 22)]));
        let people = report.people().expect("one model");
        let tracks: Vec<Vec<u64>> = people.iter().map(|person| person.sightings.iter().map(|sighting| sighting.track).collect()).collect();
        assert_eq!(tracks, [vec![1, 2], vec![3], vec![4]]);
    }

    #[test]
    fn names_become_safe_file_names() {
        assert_eq!(file_name("Lin-Manuel Miranda"), "Lin-Manuel-Miranda");
        assert_eq!(file_name("../../etc/passwd"), "etc-passwd");
        assert_eq!(file_name("Åsa Öberg"), "Åsa-Öberg");
        assert_eq!(file_name("//"), "person");
    }
}
