//! The worker: drains the task queue, one bounded drain a request.
//!
//! # Layout
//! - [`Worker`]: routes, the drain token, responses.
//! - `drain`: the loop that receives, keeps the slots filled and counts; `control`: the launcher's orders.
//! - `delivery`: one delivery, from its text to its end; `run`: one attempt of its task; `attempt`: what goes on
//!   beside the handler; `settle`: writing how it ended; `poison`: giving a message up.
//! - `promote`, `sweep`: what a worker does for tasks that nobody delivered, when it is idle or works on long tasks.
//! - `handlers`: the work itself.

mod attempt;
mod control;
mod counts;
mod delivery;
mod drain;
mod engine;
mod handlers;
mod poison;
mod progress;
mod promote;
mod redelivery;
mod run;
mod settle;
mod sweep;
mod worker;

pub use worker::Worker;
