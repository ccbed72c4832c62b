//! The only library that names spin-sdk: transport, clock, randomness, log and configuration for WASI,
//! and the way from an incoming request to `service` and back.
//!
//! # What an instance shares
//! Spin reuses an instance for many requests and runs up to sixteen of them at a time, so a value in a
//! `thread_local` is shared by requests in flight. Only plain values are kept there, never a borrow
//! across an await. Requests do wait for one another inside `azure`, while one of them fetches a token for
//! all; they wait by looking again, because one request cannot wake another.

mod env;
mod inbound;
mod instance;
mod transport;
mod variables;

pub use env::WasiEnv;
pub use inbound::Inbound;
pub use instance::{Instance, Variables, respond, shared};
