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
use crate::pipeline::{Sighting, VideoSummary};
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
    /// An empty report on the video called `title`.
    pub fn new(title: &str, info: &VideoInfo) -> Self {
        Self { title: title.to_owned(), info: info.clone(), sightings: Vec::new(), summary: VideoSummary::default() }
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

impl Person<'_> {
    fn start(&self) -> Duration {
        self.sightings.iter().map(|sighting| sighting.start).min().unwrap_or_default()
    }
}

/// Unknown tracks that look like one person, however far apart they are in time.
fn group_unknown<'a>(unknown: &[&'a Sighting]) -> Result<Vec<Person<'a>>> {
    let mut tracklets = Vec::with_capacity(unknown.len());
    for sighting in unknown {
        let template = Embedding::template(sighting.best_shots.iter().map(|shot| (&shot.embedding, shot.quality.score)))?;
        tracklets.push(Tracklet { spans: sighting.spans.clone(), template, identity: None });
    }
    // As sure as naming somebody from the gallery; every decision carries that threshold.
    let threshold = unknown.iter().map(|sighting| sighting.decision.threshold).fold(-1.0, f32::max);
    let groups = rejoin(&tracklets, &RejoinOptions::new(threshold, Duration::MAX))?;
    let mut people: Vec<Person<'a>> = Vec::new();
    for (sighting, group) in unknown.iter().zip(groups) {
        match people.get_mut(group) {
            Some(person) => person.sightings.push(sighting),
            None => people.push(Person { name: None, sightings: vec![sighting] }),
        }
    }
    Ok(people)
}

/// A name as a file's: letters and digits stay, runs of anything else become one hyphen.
fn file_name(name: &str) -> String {
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let joined = parts.join("-");
    if joined.is_empty() { "person".into() } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_safe_file_names() {
        assert_eq!(file_name("Lin-Manuel Miranda"), "Lin-Manuel-Miranda");
        assert_eq!(file_name("../../etc/passwd"), "etc-passwd");
        assert_eq!(file_name("Åsa Öberg"), "Åsa-Öberg");
        assert_eq!(file_name("//"), "person");
    }
}
