use std::time::Duration;

use azure::{AccountSource, ErrorKind, Part};

use crate::StorageError;

/// How long Azure usually takes to delete a container or queue.
const DELETION_TIME: Duration = Duration::from_secs(30);

/// What an operator should check if a service refuses the credentials; it depends on where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    ConnectionString,
    KeyVault,
    Identity,
}

impl Advice {
    pub(super) fn for_source(source: &AccountSource) -> Self {
        match source {
            AccountSource::ConnectionString(_) => Self::ConnectionString,
            AccountSource::KeyVault { .. } => Self::KeyVault,
            AccountSource::Identity { .. } => Self::Identity,
        }
    }

    fn sentence(self, part: Part) -> &'static str {
        match (part, self) {
            (Part::Blob | Part::Queue, Self::ConnectionString) => {
                "check the account, key or SAS in storage_connection_string, the account's firewall and this machine's \
                 clock"
            }
            (Part::Blob | Part::Queue, Self::KeyVault) => {
                "check the connection string in the Key Vault secret that storage_secret_name names, and the \
                 account's firewall"
            }
            (Part::Blob | Part::Queue, Self::Identity) => {
                "check the roles of the managed identity on the storage account (Storage Blob Data Contributor, \
                 Storage Queue Data Contributor), and the account's firewall"
            }
            (Part::KeyVault, _) => {
                "check that the managed identity has the role Key Vault Secrets User, and the vault's firewall"
            }
            (Part::Identity, _) => "check identity_header and managed_identity_client_id",
        }
    }
}

/// What an operator should check if a service remains unavailable, or its responses remain unexpected.
fn to_check(part: Part) -> &'static str {
    match part {
        Part::Blob => "blob_endpoint and the state of the storage account",
        Part::Queue => "queue_endpoint and the state of the storage account",
        Part::KeyVault => "key_vault_name (or key_vault_url), the vault's state and its firewall",
        Part::Identity => {
            "identity_endpoint, this machine's clock, and that the app has the identity that \
             managed_identity_client_id names"
        }
    }
}

/// Maps an error of the client to a [`StorageError`].
pub(super) fn storage_error(error: &azure::Error, advice: Advice) -> StorageError {
    let of_credentials = matches!(error.part(), Some(Part::KeyVault | Part::Identity));
    let unavailable = |retry_after| {
        let check = error.part().map(|part| format!("; if this lasts, check {}", to_check(part)));
        let detail = format!("{error}{}", check.unwrap_or_default());
        StorageError::Unavailable { detail, credentials: of_credentials, retry_after }
    };
    match error.kind() {
        ErrorKind::Configuration(sentence) => {
            StorageError::Misconfigured(format!("configuration: {sentence}"))
        }
        ErrorKind::Unauthorized { part, .. } => {
            StorageError::Misconfigured(format!("{error}: {}", advice.sentence(*part)))
        }
        ErrorKind::Throttled { retry_after } | ErrorKind::Unavailable { retry_after } => {
            unavailable(*retry_after)
        }
        ErrorKind::Conflict { code } if code.ends_with("BeingDeleted") => unavailable(Some(DELETION_TIME)),
        // The container or queue was deleted right after it was created, or the response is not of storage.
        ErrorKind::NotFound { .. } | ErrorKind::Unexpected(_) => unavailable(None),
        // Requests for credentials do not depend on the program's input, so the configuration is the cause.
        ErrorKind::Conflict { .. } | ErrorKind::Refused { .. } if of_credentials => {
            let check = error.part().map_or("the configuration", to_check);
            StorageError::Misconfigured(format!("{error}: check {check}"))
        }
        ErrorKind::Conflict { .. } => StorageError::Blocked(error.to_string()),
        ErrorKind::Refused { .. } => StorageError::Refused(error.to_string()),
    }
}

/// Whether the container or queue does not exist.
pub(super) fn is_missing(error: &azure::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound { code } if code == "ContainerNotFound" || code == "QueueNotFound")
}
