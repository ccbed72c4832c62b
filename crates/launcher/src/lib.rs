//! The entry point of the container: turns the environment of the platform into Spin variables, starts the host it
//! is given and, for the worker, calls the drain route until it is told to stop.
//!
//! # Layout
//! * [`arguments`] – the command line, as values.
//! * [`environment`], [`hosts`] – derive Spin variables from an environment, without I/O.
//! * [`handlers`], [`manifest`] – the task handlers: whether they exist and which hosts they need.
//! * [`isolation`], [`handler_process`], [`overrun`] – the host process of the handlers: its command line, its life, and
//!   reports of handlers that do not end.
//! * [`drain`] – one `POST /drain`, with the control stream that can end it early.
//! * [`drainer`] – the loops around it, side by side; `lifecycle::pace` says when each drains.
//! * [`health`] – waits until the host responds, and watches whether it still does.
//! * [`connection`] – the HTTP client of both.
//! * [`child`], [`open_files`], [`signals`] – the host as a child process; the duties of process 1.
//! * [`metrics`], [`listener`], [`stderr`] – for the operator.
//! * [`role`] – puts the above together.

pub mod arguments;
pub mod child;
pub mod connection;
pub mod drain;
pub mod drainer;
pub mod environment;
pub mod handler_process;
pub mod handlers;
pub mod health;
pub mod hosts;
pub mod isolation;
pub mod listener;
pub mod manifest;
pub mod metrics;
pub mod open_files;
pub mod overrun;
pub mod role;
pub mod signals;
pub mod stderr;
