//! The WASI environment of both components: transport, clock, randomness, log, configuration, and the conversion of
//! incoming requests and responses. No other library depends on spin-sdk.
//!
//! # What an instance shares
//! Spin reuses an instance for many requests and runs up to sixteen of them concurrently, so requests in flight share
//! the values in a `thread_local`. These are plain values, never a borrow across an await. Inside `azure`, requests
//! wait while one of them fetches a token for all. They sleep and check again, because one request cannot wake
//! another.

mod contents;
mod env;
mod fields;
mod inbound;
mod instance;
mod random;
mod transport;
mod turn;
mod variables;

pub use env::WasiEnv;
pub use inbound::Inbound;
pub use instance::{Instance, Variables, respond, shared};
pub use spin_sdk::wasip3::exports::http::handler::Guest;
pub use spin_sdk::wasip3::http::service::export;
pub use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
