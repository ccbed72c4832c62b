//! The HTTP API.
//!
//! # Layout
//! - [`Api`]: the way of a request from its head to its response.
//! - `http`: reading a request, without storage: route, headers, authentication, preconditions, query, ranges.
//! - `tasks`: the operations on tasks, one file each.
//! - `poison`: the poison queue for operators.
//! - `queue`: lengths of the queues, pause and resume.
//! - `schedules`: tasks that are due again and again.
//! - `system`: health, metrics, static pages.

mod api;
mod http;
mod permit;
mod poison;
mod queue;
mod schedules;
mod system;
mod tasks;
mod ttl_cache;

pub use api::Api;
pub use system::pages::{Asset, AssetSource, Assets};
