//! facerec as services: enrol people from photos, find them in videos, on one machine or on many.
//!
//! One binary with a role per service; `all` is every role in one process. Each role is a module: [`gateway`], [`workers`]
//! (enrolment and query), [`forwarder`], [`inference`] (detection and data processing). What they share is in [`app`], and [`people`]
//! keeps what the database knows of people in step with the gallery. What can be replaced by a server of its own is behind a trait:
//! [`queue`], [`results`], [`blobs`]; [`nats`] is such a server.

pub mod app;
pub mod blobs;
pub mod config;
pub mod db;
pub mod error;
pub mod forwarder;
pub mod gateway;
pub mod ids;
pub mod inference;
pub mod jobs;
pub mod litter;
pub mod nats;
pub mod people;
pub mod queue;
pub mod results;
pub mod run;
pub mod tls;
pub mod vision;
pub mod workers;
