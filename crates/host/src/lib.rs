//! Runs the components of a `spin.toml` on wasmtime in process: development server and component tests.
//!
//! # Layout
//! - [`manifest`], [`route`], [`template`], [`variables`], `dotenv`: what the manifest and the
//!   environment say; pure.
//! - [`outbound`]: allowed hosts, and where a component's requests go.
//! - [`app`]: a [`Blueprint`] (manifest and compiled components) starts many [`App`]s.
//! - `guest`, `instances`, `incoming`, `life`: glue over wasmtime's `ProxyHandler`, which Spin uses too.
//! - [`clock`], [`log`], [`limits`]: the surroundings of a component, all of them replaceable.
//! - [`server`]: listens; the binary is [`arguments`] (Spin's options) and [`runtime_config`] around it.

pub mod app;
pub mod arguments;
pub mod clock;
mod dotenv;
mod guest;
pub mod incoming;
mod instances;
mod life;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod outbound;
pub mod route;
pub mod runtime;
pub mod runtime_config;
pub mod server;
pub mod template;
pub mod variables;

pub use app::{App, Blueprint, Failure, LoadError, Options, ResponseBody};
pub use clock::{Clock, SystemClock, VirtualClock};
pub use incoming::ClientAddress;
pub use limits::Limits;
pub use log::{Captured, Followed, LogSink, Terminal};
pub use outbound::{Answer, Outbound, OutboundError, Outgoing};
pub use runtime::{CompileCache, Runtime};
pub use runtime_config::RuntimeConfig;
pub use variables::Providers;
