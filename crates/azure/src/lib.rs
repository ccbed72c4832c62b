//! Builds, signs, sends and parses calls to Azure Storage Queue, Blob Storage, Key Vault and the
//! managed-identity endpoint, over one [`Transport`]. Knows no tasks.

mod secret;
mod transport;

pub use secret::Secret;
pub use transport::{Clock, Env, Limits, Random, Transport, TransportError};
