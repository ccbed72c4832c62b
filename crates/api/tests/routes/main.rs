//! The HTTP API through its own entry point, in virtual time, over storage in memory: one file for
//! each route.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what surrounds a test says what it expects as tests do"
)]

mod world;

mod auth;
mod batch;
mod broken_parts;
mod bulk;
mod callbacks;
mod cancel;
mod clients;
mod conditions;
mod delete;
mod events;
mod health;
mod list;
mod lost_responses;
mod metrics;
mod monitor;
mod pages;
mod poison;
mod prefix;
mod problems;
mod queue;
mod result;
mod retry;
mod schedules;
#[cfg(test)]
mod sink;
mod storage;
mod submit;
mod submit_twice;
mod transcripts;
mod unique;
mod waiting;
