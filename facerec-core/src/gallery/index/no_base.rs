//! Without FAISS every search is exact, and there is no base.

use std::sync::atomic::AtomicBool;

use super::{Hit, IndexKind, Vectors};
use crate::error::{Error, Result};
use crate::gallery::records::FaceId;

/// Nothing: no value of it exists.
pub(in super::super) enum Base {}

impl Base {
    pub(in super::super) fn build(_: IndexKind, _: &Vectors, _: Vec<FaceId>, _: &AtomicBool) -> Result<Self> {
        Err(Error::FeatureDisabled { feature: "faiss", what: "an index that is not flat".into() })
    }

    pub(in super::super) fn extend(&self, _: &Vectors, _: Vec<FaceId>, _: &AtomicBool) -> Result<Self> {
        match *self {}
    }

    pub(in super::super) fn candidates(&self, _: usize) -> usize {
        match *self {}
    }

    pub(in super::super) fn search(&self, _: &[f32], _: usize) -> Result<Vec<Vec<Hit>>> {
        match *self {}
    }

    pub(in super::super) fn kind(&self) -> IndexKind {
        match *self {}
    }

    pub(in super::super) fn faces(&self) -> &[FaceId] {
        match *self {}
    }

    pub(in super::super) fn recall(&self) -> f32 {
        match *self {}
    }

    pub(in super::super) fn effort(&self) -> usize {
        match *self {}
    }

    pub(in super::super) fn trained_on(&self) -> usize {
        match *self {}
    }

    pub(in super::super) fn bytes_per_face(&self) -> usize {
        match *self {}
    }

    pub(in super::super) fn to_bytes(&self) -> impl Iterator<Item = std::io::Result<Vec<u8>>> {
        match *self {}
        #[allow(unreachable_code)]
        std::iter::empty()
    }

    pub(in super::super) fn from_parts(_: SavedBase, _: Vec<Part>) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// There is none.
pub(in super::super) enum Part {}

pub(in super::super) enum PartReader {}

impl PartReader {
    pub(in super::super) fn new(_: usize) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(in super::super) fn read(&mut self, _: &[u8]) -> std::io::Result<Part> {
        match *self {}
    }
}

/// As in the build with FAISS, so that a saved index is read up to here.
#[allow(dead_code)]
pub(in super::super) struct SavedBase {
    pub(in super::super) kind: IndexKind,
    pub(in super::super) faces: Vec<FaceId>,
    pub(in super::super) effort: usize,
    pub(in super::super) recall: f32,
    pub(in super::super) trained_on: usize,
}
