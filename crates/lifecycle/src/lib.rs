//! Decisions about tasks as pure functions: given a stored document, an event, a policy and the time, a function
//! returns what to do. It does not do it.
//!
//! There is no async, no clock, no randomness and no I/O (see `clippy.toml`): `now` and jitter are arguments.
//!
//! # Modules
//! - [`intake`]: a submission, given the document stored under its id.
//! - [`unique`]: a submission with a `UniqueKey`, given the task that holds the key.
//! - [`redelivery`]: a message, given its dequeue count and the notes of earlier deliveries.
//! - [`delivery`]: one delivery of a message.
//! - [`outcome`]: the end of an attempt, and how it continues after a conflict.
//! - [`lease`]: when to renew a lease and when to stop the attempt.
//! - [`events`]: the event of a task's end, and its delivery; [`sink`]: the other events of the operator's sink.
//! - [`cancel`], [`retry`]: requests of clients to cancel or retry a task.
//! - [`replay`]: a message that was given up and is to be replayed.
//! - [`delayed`]: tasks that may not start yet.
//! - [`recurring`]: schedules of recurring tasks; [`recurrence`], [`firing`]: when one is due, and which missed firings are
//!   made up for.
//! - [`sweep`], [`retention`]: tasks without a message, and tasks past their retention.
//! - [`monitor`], [`overload`]: how long a client waits before its next request.
//! - [`pace`], [`drain`]: when a replica drains next, and the steps of one drain.
//! - [`pause`]: how long a worker uses what it read about the pause of the queue.
//! - [`priority`]: which queue is asked next, if each priority has its own.
//! - [`handlers`]: which handler a task has, and the policy of its name.
//! - [`handler_limit`]: concurrent tasks of handlers outside the application.
//! - `transition`: the changes of a document, which are the arrows of the state diagram in ARCHITECTURE.md.
//!
//! *Invariants:* only [`retry::retry`] leaves a terminal state, and in every list of effects the deletion of the
//! message is last.

pub mod cancel;
pub mod delayed;
pub mod delivery;
pub mod drain;
pub mod events;
pub mod firing;
pub mod handler_limit;
pub mod handlers;
pub mod intake;
pub mod lease;
pub mod monitor;
pub mod outcome;
pub mod overload;
pub mod pace;
pub mod pause;
mod policy;
pub mod priority;
mod product;
pub mod recurrence;
pub mod recurring;
pub mod redelivery;
pub mod replay;
pub mod retention;
pub mod retry;
pub mod sink;
pub mod sweep;
mod transition;
pub mod unique;

pub use policy::Policy;
