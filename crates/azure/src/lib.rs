//! A client for Azure Queue Storage, Blob Storage, Key Vault and the managed-identity endpoint, over one
//! [`Transport`]. It is independent of tasks.
//!
//! Building, signing and parsing are pure functions over values. Only [`StorageClient`], `send`, `cache`, `identity`
//! and `vault` use the environment ([`Env`]).
//!
//! # Layout
//! - `source`, `connection_string`, `account`: the account and its credential, from the configuration.
//! - `blob`, `queue`: the two services; in each, `requests` builds calls and `responses` parses the responses.
//! - `call`, `shared_key`, `sas`: signed requests, and signed links to one blob.
//! - `response`, `xml`, `error`: from a response to a value or an error.
//! - `retry`, `send`, `client`: the retry policy, and the loops that follow it.
//! - `identity`, `vault`, `delegation`, `cache`: credentials, fetched once for all concurrent requests; `token_source`: tokens
//!   for other services.
//! - `transport`, `secret`, `moment`, `encode`: the environment, secrets, dates, encodings.

mod account;
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
mod response;
mod retry;
mod sas;
#[cfg(test)]
mod script;
mod secret;
mod send;
mod shared_key;
mod source;
mod token_source;
mod transport;
mod vault;
mod xml;

pub use account::Account;
pub use blob::{Blob, BlobItem, BlobPage, BlobProperties, Blobs, Condition, GetOptions, Read, Write};
pub use client::StorageClient;
pub use connection_string::ConnectionString;
pub use error::{ConfigError, Error, ErrorKind, Part};
pub use queue::{
    LeaseLost, MAX_BODY_BYTES, MAX_MESSAGES, MAX_TEXT_BYTES, MAX_VISIBILITY, PeekedMessage, PutMessage,
    Queue, ReceivedMessage, RenewedLease, TimeToLive,
};
pub use response::retry_after;
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use source::{AccountConfig, AccountSource, Identity, VaultSecret};
pub use token_source::{BearerToken, EVENT_GRID_RESOURCE, TokenSource};
pub use transport::{
    Clock, Env, Instant, Limits, Observer, Random, Spill, Transport, TransportError, UNOBSERVED,
};
