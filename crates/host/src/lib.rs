//! Runs the components of a `spin.toml` on wasmtime in process: development server and component tests.
//!
//! # Layout
//! - [`manifest`], [`route`], [`template`], [`variables`], `dotenv`: the manifest and the values of its variables.
//! - [`outbound`]: allowed hosts, and where requests of components go.
//! - [`clock`], [`log`], [`limits`]: the surroundings of a component, all of them replaceable.
//! - `compose`: a component and its dependencies become one.
//! - `component`: what all instances of one component share.
//! - [`host_calls`]: counts what components call.
//! - `guest`, `instances`, `instance_tracker`: instances over wasmtime's `ProxyHandler`, which Spin uses too.
//! - [`incoming`], `outgoing`: requests to and from an instance.
//! - [`blueprint`], [`app`]: a [`Blueprint`] (manifest and compiled components) starts many [`App`]s.
//! - [`server`]: listens; the binary is [`arguments`] (Spin's options) and [`runtime_config`] around it.

pub mod app;
pub mod arguments;
pub mod blueprint;
pub mod clock;
mod component;
mod compose;
mod dotenv;
mod guest;
pub mod host_calls;
pub mod incoming;
mod instance_tracker;
mod instances;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod outbound;
mod outgoing;
pub mod route;
pub mod runtime;
pub mod runtime_config;
pub mod server;
pub mod template;
pub mod variables;
mod watched;

pub use app::{App, Failure, ResponseBody};
pub use blueprint::{Blueprint, LoadError, Options};
pub use clock::{Clock, SystemClock, VirtualClock};
pub use host_calls::HostCalls;
pub use incoming::ClientAddress;
pub use limits::Limits;
pub use log::{Captured, Followed, LogSink, Terminal};
pub use outbound::{Outbound, OutboundError, OutboundResult, Outgoing, Responder, ResponderBody};
pub use runtime::{CompileCache, Runtime};
pub use runtime_config::RuntimeConfig;
pub use variables::Providers;
