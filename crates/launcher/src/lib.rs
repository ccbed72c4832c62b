//! The container's entry point in both roles: turns the platform's environment into Spin variables, starts
//! the host it is given and, for the worker, calls the drain route until it is told to stop.
//!
//! # Layout
//! * [`arguments`] – the command line, as values.
//! * [`environment`], [`hosts`] – pure: which Spin variables follow from an environment.
//! * [`backoff`] – pure: how long to wait before the next drain.
//! * [`drain`] – one `POST /drain`, with the control stream that can end it early.
//! * [`drainer`] – the loop around it, and the parallel drains of a replica.
//! * [`health`] – waits until the host answers.
//! * [`connection`] – the HTTP client both use.
//! * [`child`], [`signals`] – the host as a child process; the duties of process 1.
//! * [`metrics`], [`listener`], [`log`] – what an operator sees.
//! * [`role`] – puts the above together.

pub mod arguments;
pub mod backoff;
pub mod child;
pub mod connection;
pub mod drain;
pub mod drainer;
pub mod environment;
pub mod health;
pub mod hosts;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod role;
pub mod signals;
