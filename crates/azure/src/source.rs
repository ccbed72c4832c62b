use std::time::Duration;

use crate::{ConnectionString, Secret};

/// A configuration that cannot be used: a sentence that names what to add or change, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// The raw values of the variables that say where the account is and how to get in; empty = not given.
#[derive(Debug, Clone, Default)]
pub struct AccountConfig {
    /// `storage_connection_string`.
    pub connection_string: Secret,
    /// `key_vault_url`, or the address made from `key_vault_name`.
    pub key_vault_url: String,
    /// `storage_secret_name`.
    pub secret_name: String,
    /// `secret_max_age_seconds`: how long the vault's secret is used without reading it again.
    pub secret_max_age: Duration,
    /// `storage_account_name`.
    pub account_name: String,
    /// `blob_endpoint`; overrides the one of a connection string.
    pub blob_endpoint: String,
    /// `queue_endpoint`; overrides the one of a connection string.
    pub queue_endpoint: String,
    /// `managed_identity_client_id`; empty is the system-assigned identity.
    pub client_id: String,
    /// `identity_endpoint`.
    pub identity_endpoint: String,
    /// `identity_header`.
    pub identity_header: Secret,
}

/// Where to get tokens for a managed identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(crate) endpoint: String,
    pub(crate) header: Secret,
    pub(crate) client_id: String,
}

/// Where the account and its credential come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountSource {
    /// A connection string, used as it is.
    ConnectionString(ConnectionString),
    /// A connection string that is a secret in a Key Vault, read with a managed identity.
    KeyVault {
        /// Address of the vault, without a trailing slash.
        vault_url: String,
        /// Name of the secret.
        secret_name: String,
        /// How long the secret is used without reading it again.
        max_age: Duration,
        /// Overrides the connection string's; empty = not given.
        blob_endpoint: String,
        /// Overrides the connection string's; empty = not given.
        queue_endpoint: String,
        /// Who reads it.
        identity: Identity,
    },
    /// No key at all: the managed identity has roles on the account.
    Identity {
        /// The account.
        account_name: String,
        /// Address of its Blob service.
        blob_endpoint: String,
        /// Address of its Queue service.
        queue_endpoint: String,
        /// Who calls.
        identity: Identity,
    },
}

impl AccountSource {
    /// Chooses: a connection string, else a Key Vault, else the account with the identity alone.
    ///
    /// # Errors
    /// A sentence that names the variable to add or change when the configuration is half filled.
    pub fn decide(config: &AccountConfig) -> Result<Self, ConfigError> {
        if !config.connection_string.is_empty() {
            return ConnectionString::parse(config.connection_string.expose()).map(Self::ConnectionString);
        }
        Err(ConfigError("no storage account is configured".to_owned()))
    }
}
