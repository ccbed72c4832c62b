//! The services, as addresses and requests name them.

/// One of the four services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Blob Storage.
    Blob,
    /// Queue Storage.
    Queue,
    /// The managed-identity endpoint of Container Apps.
    Identity,
    /// Key Vault.
    Vault,
}
