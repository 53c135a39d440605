//! The platform as its callers see it: over HTTP, with people of plain colours and no model.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::print_stderr)] // helpers of tests; what is skipped is said aloud

mod deploy;
mod doors;
mod files;
mod flow;
mod harness;
mod many;
mod nats_server;
mod once;
mod people;
mod photos;
#[path = "../../../../facerec-core/tests/postgres_server/mod.rs"]
mod postgres_server;
mod privacy;
mod process;
mod queue;
mod services;
mod tls;
mod uploads;
mod webhooks;
