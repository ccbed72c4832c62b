//! The HTTP API, and one file for each thing that can be asked.
//!
//! # Layout
//! - [`Api`]: the way of a request.
//! - `http`: what a request says, without storage: address, headers, caller, preconditions, query, ranges.
//! - `tasks`: the operations on tasks, one file each.
//! - `system`: health, metrics, pages.

mod api;
mod http;
mod remembered;
mod system;
mod tasks;

pub use api::Api;
pub use system::pages::{Asset, AssetSource, Assets};
