//! Storage Queue, Blob Storage, Key Vault and the managed-identity endpoint in memory, for tests and local runs.
//!
//! [`FakeAzure::handle`] takes a request and the time and gives the response: no socket, no clock, no randomness. It
//! follows Azure, also where the emulator Azurite does not, and checks signatures, shared access signatures and
//! tokens with code of its own. The conformance suite in `tests/` runs the project's client against this crate and
//! against Azurite, and lists every difference.
//!
//! # Layout
//! - [`fake`](FakeAzure): the four services as one value; [`Config`] sets them up.
//! - `call`, `target`, `operation`: what a request is for. `access`: who sent it and what that allows.
//! - `blob`, `queue`, `identity`, `vault`: one module per service.
//! - `state`: what is stored; `view`: looking at it from tests; `sign`: requests of tests; `disturb`: what goes wrong
//!   inside; `journal`: keeping it over a restart.
//! - `server` (feature `server`): sockets around it; the binary `fake-azure`.
//!
//! Not there, which get `501`: leases, snapshots, versions, tags, Get Block List, page and append blobs, stored
//! access policies. `Content-MD5` is neither checked nor computed.

mod access;
mod blob;
mod call;
mod config;
mod cors;
mod dates;
mod disturb;
mod fake;
mod identity;
mod ids;
mod journal;
mod names;
mod operation;
mod queue;
mod response;
mod rights;
#[cfg(feature = "server")]
pub mod server;
mod service;
mod sign;
mod state;
mod target;
mod vault;
mod view;
mod xml;

pub use blob::Block;
pub use call::PeerAddress;
pub use config::{Config, EMULATOR_ACCOUNT, EMULATOR_KEY, Identity, SetupError};
pub use fake::FakeAzure;
pub use journal::JournalError;
pub use operation::Operation;
pub use rights::{Action, Role};
pub use service::Service;
pub use target::Target;
pub use view::{BlobView, MessageView};
