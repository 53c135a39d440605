//! Photos that stand on their side or upside down.
//!
//! Detectors find turned faces, but most give them the landmarks of an upright face out of place, and the vectors of faces so misread
//! lie near one another. Others see how a face stands, but less exactly than when it is upright. Where a picture shows no face, one
//! that lies, or one that cannot be recognised, its three turned copies are looked at too.

use super::{AlignedFace, Analyzer};
use crate::error::Result;
use crate::face::Detection;
use crate::image::{Image, Turn};
use crate::recognisability::RECOGNISABLE;

/// Share of the largest clear face's side from which on another face is about as large.
const AS_LARGE: f32 = 0.8;

/// Two boxes frame the same face when they share this much of the smaller one.
const SAME_FACE: f32 = 0.4;

/// Two in a hundred upright faces of LFW are below, and nearly all misread turned ones.
const BEYOND_DOUBT: f32 = 0.8;

/// A turned copy counts where one of its faces is one for sure, by its recognisability or its side in pixels: three pictures more are
/// three times the chances of finding a face where none is, and nearly all of those are small. Where the picture as it stands shows a
/// face already, [`BEYOND_DOUBT`] is enough.
const SURE: f32 = 0.95;
const LARGE: f32 = 64.0;
/// In a small picture a face counts as large from this share of the picture's shorter side on.
const PORTRAIT: f32 = 0.3;

impl Analyzer {
    /// Looks at the turned copies of a picture where that may help, and keeps what is best, face by face. `found` are the faces of
    /// the picture as it stands, with their vectors.
    pub(super) fn read_turned(&self, rgb: &[u8], size: (u32, u32), found: &mut Vec<AlignedFace>) -> Result<()> {
        if !leaves_doubt(found, is_read) {
            return Ok(());
        }
        let mut others = Vec::new();
        // One copy at a time: three of a large photo are much memory.
        for turn in Turn::ALL {
            let faces = self.detector.detect_batch(&[turn.apply(rgb, size)?.view()])?.pop().unwrap_or_default();
            others.extend(self.read(rgb, size, turn, faces, found)?);
        }
        let (mut kept, unread): (Vec<_>, Vec<_>) = found.drain(..).partition(is_read);
        others.extend(unread);
        others.sort_by(|a, b| is_read(b).cmp(&is_read(a)).then(worth(b).total_cmp(&worth(a))));
        for face in others {
            if !kept.iter().any(|better| is_same(better, &face)) {
                kept.push(face);
            }
        }
        kept.sort_by(|a, b| b.face.detection.score.total_cmp(&a.face.detection.score));
        *found = kept;
        Ok(())
    }

    /// By which turn the faces of a video's frame come to stand upright; `None` when no face tells.
    pub(crate) fn way_up(&self, frame: &Image) -> Result<Option<Turn>> {
        let (rgb, size) = (frame.data(), (frame.width(), frame.height()));
        let look = |image: &Image| Ok(self.detector.detect_frames(&[image.view()])?.pop().unwrap_or_default());
        let mut found = self.align(rgb, size, Turn::None, look(frame)?);
        if self.is_measured() {
            self.recognise(&mut found)?;
        }
        if found.iter().any(is_read) {
            return Ok(Some(Turn::None));
        }
        let mut best: Option<(f32, Turn)> = None;
        for turn in Turn::ALL {
            let faces = look(&turn.apply(rgb, size)?)?;
            let worth = self.read(rgb, size, turn, faces, &found)?.iter().map(worth).fold(0.0, f32::max);
            if worth > best.map_or(0.0, |(best, _)| best) {
                best = Some((worth, turn));
            }
        }
        Ok(best.map(|(_, turn)| turn))
    }

    /// The faces of the picture turned by `turn` that can be recognised, where they lie in the picture as it stands; `seen` are those
    /// found in that.
    fn read(&self, rgb: &[u8], size: (u32, u32), turn: Turn, faces: Vec<Detection>, seen: &[AlignedFace]) -> Result<Vec<AlignedFace>> {
        let mut found = self.align(rgb, size, turn, faces);
        if self.is_measured() {
            self.recognise(&mut found)?;
        }
        found.retain(is_read);
        let large = LARGE.min(PORTRAIT * size.0.min(size.1) as f32);
        let surely = |face: &AlignedFace| {
            let least = if seen.iter().any(|seen| is_same(seen, face)) { BEYOND_DOUBT } else { SURE };
            face.face.detection.rect.area().sqrt() >= large || recognisability(face).is_some_and(|value| value >= least)
        };
        if !found.iter().any(surely) {
            return Ok(Vec::new());
        }
        if !self.is_measured() {
            self.recognise(&mut found)?;
        }
        Ok(found)
    }

    /// Whether the vectors tell what can be recognised; where not, the landmarks must, and only what they let pass is embedded.
    fn is_measured(&self) -> bool {
        self.embedder.model_key().recognisability.is_some()
    }
}

/// Whether there is no face, or one that is not `clear` and about as large as those that are: a blurred passer-by behind an upright
/// person says nothing of how the picture stands.
pub(super) fn leaves_doubt(found: &[AlignedFace], clear: fn(&AlignedFace) -> bool) -> bool {
    let side = |face: &AlignedFace| face.face.detection.rect.area().sqrt();
    let largest = found.iter().filter(|face| clear(face)).map(side).fold(0.0, f32::max);
    found.is_empty() || found.iter().any(|face| !clear(face) && side(face) >= AS_LARGE * largest)
}

fn recognisability(found: &AlignedFace) -> Option<f32> {
    found.face.embedding.as_ref()?.recognisability()
}

/// Whether a face needs no other look: it does not lie, and is recognised beyond doubt, or recognised and upright.
fn is_read(found: &AlignedFace) -> bool {
    !found.lies && recognisability(found).map_or(found.upright, |value| value >= BEYOND_DOUBT || value >= RECOGNISABLE && found.upright)
}

fn worth(found: &AlignedFace) -> f32 {
    recognisability(found).unwrap_or(found.face.detection.score)
}

fn is_same(a: &AlignedFace, b: &AlignedFace) -> bool {
    let (a, b) = (a.face.detection.rect, b.face.detection.rect);
    a.intersection(&b) >= SAME_FACE * a.area().min(b.area())
}
