//! The HTTP protocol of docs/handlers.md, from the handler's side: what the adapters do between a request of the worker and
//! a function of the package `accepted:handler` (`wit/handler.wit`).
//!
//! - [`task`]: a request gives a [`Task`].
//! - [`response`]: an [`Outcome`] or a [`Failure`] gives a response.
//! - [`lines`]: progress and an outcome give lines of JSON.
//!
//! The types have the shapes of the WIT package, so that everything here runs natively in tests.

pub mod lines;
pub mod response;
pub mod task;

pub use lines::Progress;
pub use response::{Failure, Outcome, Retry};
pub use task::Task;
