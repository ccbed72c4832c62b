//! Builds, signs, sends and parses calls to Azure Storage Queue, Blob Storage, Key Vault and the
//! managed-identity endpoint, over one [`Transport`]. Knows no tasks.

mod account;
mod answer;
mod blob;
mod cache;
mod call;
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
mod storage;
mod transport;
mod vault;
mod xml;

pub use account::Account;
pub use blob::{Blob, BlobItem, BlobPage, BlobProperties, Blobs, Condition, Deleted, Get, GetOptions, Put};
pub use connection_string::ConnectionString;
pub use error::{Error, ErrorKind, Part};
pub use queue::{
    Lease, MAX_MESSAGES, MAX_TEXT_BYTES, MAX_VISIBILITY, Message, PeekedMessage, PutMessage, Queue,
    TimeToLive, Updated,
};
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use source::{AccountConfig, AccountSource, ConfigError, Identity, VaultSecret};
pub use storage::Storage;
pub use transport::{Clock, Env, Limits, Random, Transport, TransportError};
