//! Detection and embedding as services of their own, behind the same traits as in one process.

pub mod batch;
pub mod client;
pub mod server;
pub mod token;

/// What travels: generated from `proto/facerec.proto`, which documents it.
#[allow(missing_docs, unreachable_pub, clippy::pedantic)]
pub mod wire {
    tonic::include_proto!("facerec.v1");
}

/// The largest message in bytes: a photo of the largest size by default, or a batch of 16 frames of full HD.
pub const MOST_BYTES: usize = 256 << 20;
