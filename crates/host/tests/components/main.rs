//! The shipped components, through the real `spin.toml`, against `fake-azure`, in virtual time.
//!
//! Build them first: `cargo xtask build`. A missing component fails every test here.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what is shared by tests says what it expects as the tests do"
)]

mod bad_input;
mod bulk;
mod configuration;
mod cost;
mod credentials;
mod events;
mod growth;
mod handlers;
mod harness;
mod host_calls;
mod identity;
mod journey;
mod large;
mod limits;
mod log;
mod misbehaving;
mod operators;
mod schedule_routes;
mod slow_bodies;
mod streaming;
mod surface;
mod wire;
mod worker;
