//! Builds, signs, sends and parses calls to Azure Storage Queue, Blob Storage, Key Vault and the
//! managed-identity endpoint, over one [`Transport`]. Knows no tasks.
//!
//! Everything but the sending is plain functions over values: only [`StorageClient`] and the few files below it
//! know the surroundings ([`Env`]).
//!
//! # Layout
//! - `source`, `connection_string`, `account`: which account, and how to get in.
//! - `blob`, `queue`: the two services; in each, `requests` makes calls and `answers` understands them.
//! - `call`, `shared_key`, `sas`: from a call to a signed request; links to one blob.
//! - `answer`, `xml`, `error`: from an answer to a value or an error.
//! - `retry`, `send`, `client`: how often a call is tried, and the loop that does it.
//! - `identity`, `vault`, `delegation`, `cache`: credentials that are fetched, once for everybody.
//! - `transport`, `secret`, `moment`, `encode`: the seams to the world, and small things.

mod account;
mod answer;
mod blob;
mod cache;
mod call;
mod client;
mod connection_string;
mod delegation;
mod encode;
mod error;
mod identity;
mod moment;
mod queue;
mod retry;
mod sas;
#[cfg(test)]
mod script;
mod secret;
mod send;
mod shared_key;
mod source;
mod transport;
mod vault;
mod xml;

pub use account::Account;
pub use answer::retry_after;
pub use blob::{Blob, BlobItem, BlobPage, BlobProperties, Blobs, Condition, GetOptions, Read, Write};
pub use client::StorageClient;
pub use connection_string::ConnectionString;
pub use error::{ConfigError, Error, ErrorKind, Part};
pub use queue::{
    LeaseLost, MAX_BODY_BYTES, MAX_MESSAGES, MAX_TEXT_BYTES, MAX_VISIBILITY, PeekedMessage, PutMessage,
    Queue, ReceivedMessage, RenewedLease, TimeToLive,
};
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use source::{AccountConfig, AccountSource, Identity, VaultSecret};
pub use transport::{Clock, Env, Instant, Limits, Observer, Random, Transport, TransportError, UNOBSERVED};
