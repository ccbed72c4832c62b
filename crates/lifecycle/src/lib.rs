//! What happens next to a task: given its stored document, an event, a policy and the time, each
//! function returns a value that says what to do. None of them does it.
//!
//! No async, no clock, no randomness, no I/O (see `clippy.toml`): `now` and jitter are arguments.
//!
//! # Layout
//! - [`intake`]: what a submission does, given what is stored under its id.
//! - [`redelivery`]: how to take a message up, by what its earlier deliveries noted.
//! - [`delivery`]: what one delivery of a message asks for.
//! - [`outcome`]: what an attempt's end writes, and what to do when somebody else wrote first.
//! - [`lease`]: when to renew the hold on a message, and when to give up.
//! - [`cancel`], [`retry`]: what a client's request does to a document.
//! - [`schedule`]: where the message of a task that may not start yet belongs.
//! - [`sweep`], [`retention`]: which documents need a new message, or may go.
//! - [`monitor`], [`overload`]: how long a client is asked to wait.
//! - [`pace`]: when a replica drains next; [`drain`]: what one drain does next.
//! - [`handler_limit`]: how many tasks may be worked on outside of the application.
//!
//! *Architecture Invariant:* a terminal state is never left, except by [`retry::retry`]; and in every
//! list of effects the deletion of the message comes last.

pub mod cancel;
pub mod delivery;
pub mod drain;
pub mod handler_limit;
pub mod intake;
pub mod lease;
pub mod monitor;
pub mod outcome;
pub mod overload;
pub mod pace;
mod policy;
mod product;
pub mod redelivery;
pub mod retention;
pub mod retry;
pub mod schedule;
pub mod sweep;
mod transition;

pub use policy::Policy;
