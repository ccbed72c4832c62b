//! The worker: drains the task queue, one bounded drain a request.
//!
//! # Layout
//! - [`Worker`]: routes, the drain token, responses.
//! - `drain`: the loop that receives, keeps the `slots` filled and counts; `receive`: one batch of messages; `control`: the
//!   launcher's orders; `places`: limits of single names.
//! - `delivery`: one delivery, from the text of the message to its `outcome`; `redelivery`: messages that may have crashed
//!   workers; `poison`: giving a message up.
//! - `run`: one `attempt` of a task; `lease`: renewing the lease and writing the `progress` while its handler runs;
//!   `settle`: recording its outcome.
//! - `events`: events of ended tasks, and their delivery to receivers.
//! - `promote`: delayed tasks that are due; `schedules`: recurring tasks that are due; `sweep`: tasks whose message is missing,
//!   and expired tasks. They happen when a worker has no work, or beside tasks that run for long.
//! - `handlers`: the work itself. `relay`: handlers of this host process for the worker of another. `engine`: what all
//!   tasks of one instance share.

mod alarms;
mod attempt;
mod control;
mod delivery;
mod drain;
mod engine;
mod events;
mod handlers;
mod lease;
mod outcome;
mod pause;
mod pause_state;
mod places;
mod poison;
mod progress;
mod promote;
mod receive;
mod redelivery;
mod relay;
mod run;
mod schedules;
mod settle;
mod sharing;
mod slots;
mod sweep;
mod timer;
mod worker;

pub use worker::Worker;
