//! Submit, poll, cancel, list and drain: reads, asks `lifecycle` what to do, performs the effects in
//! order and maps the outcome to HTTP.
//!
//! The surroundings are one object, [`Env`], and storage is two, so that the same code runs as WebAssembly
//! against Azure and natively against a fake in virtual time.

pub mod api;
pub mod body;
pub mod env;
pub mod log;
pub mod settings;
pub mod storage;
pub mod store;
pub mod worker;

pub use env::Env;
