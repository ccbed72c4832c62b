//! What the fake does beyond the conformance suite: time, rights, rotation, the other two services.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects by unwrapping, in helpers too"
)]

mod account;
mod any_request;
mod identity;
mod journal;
mod keyless;
mod world;
