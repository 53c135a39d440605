//! The photos of a folder as one pack sees them.

use std::path::{Path, PathBuf};

use crate::analyze::Analyzer;
use crate::error::Result;
use crate::evaluate::{EvaluateOptions, main_faces};
use crate::face::Face;
use crate::folder::{PassedOver, PeopleFolder};
use crate::gallery::dot;
use crate::geometry::Landmarks;
use crate::text::{canonical_name, path_text};

/// Whose photos lie where.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The people's names.
    pub(super) people: Vec<String>,
    /// For each person where their photos stand in `photos`: they are neighbours.
    pub(super) photos_of: Vec<std::ops::Range<usize>>,
    /// All photos, in the order of the people and then of their names.
    pub(super) photos: Vec<PathBuf>,
    /// Whose each photo is.
    pub(super) person_of: Vec<usize>,
    pub(super) passed_over: PassedOver,
}

impl Folder {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let PeopleFolder { people, passed_over, .. } = crate::evaluate::labelled(folder)?;
        let mut read = Self { passed_over, ..Self::default() };
        for (number, person) in people.into_iter().enumerate() {
            let name = path_text(Path::new(person.path.file_name().unwrap_or_default()));
            read.people.push(canonical_name(&name).into_owned());
            let start = read.photos.len();
            read.person_of.extend(person.photos.iter().map(|_| number));
            read.photos.extend(person.photos);
            read.photos_of.push(start..read.photos.len());
        }
        Ok(read)
    }
}

/// What is known of a photo's main face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MainFace {
    pub(super) landmarks: Landmarks,
    pub(super) quality: Option<f32>,
    pub(super) recognisability: Option<f32>,
    /// Whether the embedder can tell it from others.
    pub(super) recognisable: bool,
}

/// The main face of every photo, and its vector.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) faces: Vec<Option<MainFace>>,
    /// One row of `dim` values per photo; zeros where there is no face.
    vectors: Vec<f32>,
    dim: usize,
}

impl Sample {
    /// Looks at all `photos`.
    pub(super) fn read(analyzer: &Analyzer, photos: &[PathBuf], options: EvaluateOptions<'_>) -> Result<Self> {
        let faces = main_faces(analyzer, photos, options)?;
        Ok(Self::new(faces))
    }

    pub(super) fn new(found: Vec<Option<Face>>) -> Self {
        let dim = found.iter().flatten().find_map(|face| Some(face.embedding.as_ref()?.as_slice().len())).unwrap_or(0);
        let mut vectors = vec![0.0; dim * found.len()];
        let mut faces = Vec::with_capacity(found.len());
        for (at, face) in found.into_iter().enumerate() {
            faces.push(face.and_then(|face| {
                let embedding = face.embedding?;
                vectors[at * dim..(at + 1) * dim].copy_from_slice(embedding.as_slice());
                Some(MainFace {
                    landmarks: face.detection.landmarks,
                    quality: face.quality.map(|quality| quality.score),
                    recognisability: embedding.recognisability(),
                    recognisable: embedding.is_recognisable(),
                })
            }));
        }
        Self { faces, vectors, dim }
    }

    /// How alike two photos are, as `evaluate::similarity` has it; `None` where one shows no face.
    pub(super) fn similarity(&self, a: usize, b: usize) -> Option<f32> {
        let (first, second) = (self.faces[a].as_ref()?, self.faces[b].as_ref()?);
        if !(first.recognisable && second.recognisable) {
            return Some(-1.0);
        }
        let row = |at: usize| &self.vectors[at * self.dim..(at + 1) * self.dim];
        Some(dot(row(a), row(b)).clamp(-1.0, 1.0))
    }
}
