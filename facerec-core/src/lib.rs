//! facerec: face recognition for photos and videos.

pub mod align;
pub mod analyze;
pub mod detect;
pub mod embed;
pub mod error;
pub mod face;
pub mod geometry;
pub mod image;
pub mod model;
pub mod quality;
pub mod runtime;

pub use error::{Error, ErrorKind, Result};
