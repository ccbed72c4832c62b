//! Chooses the source of the account and its credential from the configuration.

use std::time::Duration;

use crate::account::{Account, Credential, Endpoint};
use crate::{ConfigError, ConnectionString, Secret};

/// The raw values of the variables that configure the account and its credential. Empty means not set.
#[derive(Debug, Clone, Default)]
pub struct AccountConfig {
    /// `storage_connection_string`.
    pub connection_string: Secret,
    /// `key_vault_url`, or the address made from `key_vault_name`.
    pub key_vault_url: String,
    /// `storage_secret_name`.
    pub secret_name: String,
    /// `secret_max_age_seconds`: the age at which the vault's secret is read again.
    pub secret_max_age: Duration,
    /// `storage_account_name`.
    pub account_name: String,
    /// `blob_endpoint`; overrides the address in a connection string.
    pub blob_endpoint: String,
    /// `queue_endpoint`; overrides the address in a connection string.
    pub queue_endpoint: String,
    /// `managed_identity_client_id`; empty for the system-assigned identity.
    pub client_id: String,
    /// `identity_endpoint`.
    pub identity_endpoint: String,
    /// `identity_header`.
    pub identity_header: Secret,
}

/// A managed identity, and the endpoint that issues its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(crate) endpoint: Endpoint,
    pub(crate) header: Secret,
    /// Empty for the system-assigned identity.
    pub(crate) client_id: String,
}

/// The secret of a Key Vault that holds a connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSecret {
    pub(crate) vault: Endpoint,
    pub(crate) name: String,
    pub(crate) max_age: Duration,
    /// Overrides the address in the connection string; empty means not set.
    pub(crate) blob_endpoint: String,
    /// Overrides the address in the connection string; empty means not set.
    pub(crate) queue_endpoint: String,
}

/// The source of the account and its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountSource {
    /// A connection string in the configuration.
    ConnectionString(ConnectionString),
    /// A connection string in a Key Vault secret, read with a managed identity.
    KeyVault {
        /// The vault and the name of the secret.
        secret: VaultSecret,
        /// The identity that reads the secret.
        identity: Identity,
    },
    /// No account key: the managed identity has roles on the account.
    Identity {
        /// The account.
        account: Account,
        /// The identity that calls the account.
        identity: Identity,
    },
}

impl AccountConfig {
    /// Returns the managed identity of the configuration, which `because` needs.
    ///
    /// # Errors
    /// The text names what is missing or cannot be used.
    pub fn identity(&self, because: &str) -> Result<Identity, ConfigError> {
        identity(self, because)
    }
}

impl AccountSource {
    /// Chooses the first configured source: a connection string, a Key Vault, an account with an identity.
    ///
    /// # Errors
    /// The text names the variable to add or change if no source is configured, or one is incomplete.
    pub fn decide(config: &AccountConfig) -> Result<Self, ConfigError> {
        if !config.connection_string.is_empty() {
            return ConnectionString::parse_with(
                config.connection_string.expose(),
                &config.blob_endpoint,
                &config.queue_endpoint,
            )
            .map(Self::ConnectionString)
            .map_err(|error| ConfigError(format!("storage_connection_string: {error}")));
        }
        if !config.key_vault_url.is_empty() {
            return Ok(Self::KeyVault {
                secret: vault_secret(config)?,
                identity: identity(config, "without storage_connection_string, key_vault_name")?,
            });
        }
        if !config.account_name.is_empty()
            || !config.blob_endpoint.is_empty()
            || !config.queue_endpoint.is_empty()
        {
            let account = keyless(config)?;
            return Ok(Self::Identity {
                account,
                identity: identity(config, "without storage_connection_string, storage_account_name")?,
            });
        }
        refuse(
            "no storage account is configured: set storage_connection_string, or key_vault_name, or \
             storage_account_name",
        )
    }
}

fn vault_secret(config: &AccountConfig) -> Result<VaultSecret, ConfigError> {
    let vault = Endpoint::parse("key_vault_url", &config.key_vault_url)?;
    if !vault.takes_tokens() {
        return refuse("key_vault_url must be https://: a token may not leave the machine without TLS");
    }
    if config.secret_name.is_empty() {
        return refuse("storage_secret_name is missing: it names the secret with the connection string");
    }
    for (name, value) in
        [("blob_endpoint", &config.blob_endpoint), ("queue_endpoint", &config.queue_endpoint)]
    {
        if !value.is_empty() {
            Endpoint::parse(name, value)?;
        }
    }
    Ok(VaultSecret {
        vault,
        name: config.secret_name.clone(),
        max_age: config.secret_max_age,
        blob_endpoint: config.blob_endpoint.clone(),
        queue_endpoint: config.queue_endpoint.clone(),
    })
}

fn keyless(config: &AccountConfig) -> Result<Account, ConfigError> {
    let endpoint = |variable: &str, given: &str, service: &str| match (given, config.account_name.as_str()) {
        ("", "") => refuse(&format!("storage_account_name (or {variable}) is missing")),
        ("", name) => {
            let url = format!("https://{name}.{service}.core.windows.net");
            Endpoint::parse(variable, &url)
                .or_else(|_| refuse("storage_account_name must be lower-case letters and digits"))
        }
        (given, _) => Endpoint::parse(variable, given),
    };
    let blob = endpoint("blob_endpoint", &config.blob_endpoint, "blob")?;
    let queue = endpoint("queue_endpoint", &config.queue_endpoint, "queue")?;
    for (variable, endpoint) in [("blob_endpoint", &blob), ("queue_endpoint", &queue)] {
        if !endpoint.takes_tokens() {
            return refuse(&format!(
                "{variable} must be https:// without an account key: a token may not leave the machine without TLS"
            ));
        }
    }
    // Signing a link needs the account's name. The host name usually begins with it.
    let name = match (config.account_name.as_str(), blob.path().trim_start_matches('/')) {
        ("", "") if blob.is_https() => blob.first_label().to_owned(),
        ("", path) if !path.is_empty() && !path.contains('/') => path.to_owned(),
        ("", _) => return refuse("storage_account_name is missing"),
        (name, _) => name.to_owned(),
    };
    Ok(Account { name, blob, queue, credential: Credential::Identity })
}

fn identity(config: &AccountConfig, because: &str) -> Result<Identity, ConfigError> {
    let missing = match (config.identity_endpoint.is_empty(), config.identity_header.is_empty()) {
        (false, false) => None,
        (true, true) => Some("identity_endpoint and identity_header are"),
        (true, false) => Some("identity_endpoint is"),
        (false, true) => Some("identity_header is"),
    };
    if let Some(missing) = missing {
        return refuse(&format!(
            "{missing} missing: {because} needs a managed identity (the platform injects IDENTITY_ENDPOINT and IDENTITY_HEADER when the app has one)"
        ));
    }
    if http::HeaderValue::from_str(config.identity_header.expose()).is_err() {
        return refuse("identity_header must be text that fits a header");
    }
    Ok(Identity {
        endpoint: Endpoint::parse("identity_endpoint", &config.identity_endpoint)?,
        header: config.identity_header.clone(),
        client_id: config.client_id.clone(),
    })
}

fn refuse<T>(sentence: &str) -> Result<T, ConfigError> {
    Err(ConfigError(sentence.to_owned()))
}

#[cfg(test)]
mod tests;
