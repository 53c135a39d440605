//! The facerec engine for Node: argument conversion, promises and error mapping over `facerec-core`, nothing else.
//!
//! What JavaScript sees is this library and `js/`: there, signals reject at once, videos become async iterators and the
//! ONNX Runtime library is found. Their types are generated from here, below `js/types.d.ts`.

// A test build registers nothing with Node, so that nothing here would seem to be used.
#![cfg_attr(test, allow(dead_code))]

mod cancel;
mod cluster;
mod command;
mod engine;
mod enroll;
mod error;
mod evaluate;
mod face;
mod gallery;
mod image;
mod models;
mod opening;
#[cfg(feature = "test-panic")]
mod panic;
mod sighting;
mod threads;
mod track;
mod video;
mod work;
