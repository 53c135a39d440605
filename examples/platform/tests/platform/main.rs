//! The platform as its callers see it: over HTTP, with people of plain colours and no model.

mod doors;
mod flow;
mod harness;
mod once;
mod people;
mod process;
mod services;
