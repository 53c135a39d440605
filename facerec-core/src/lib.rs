//! facerec: face recognition for photos and videos.
#![cfg_attr(not(test), warn(missing_docs))]

pub mod error;
pub mod face;
pub mod gallery;
pub mod geometry;
pub mod image;
pub mod model;
pub mod runtime;
