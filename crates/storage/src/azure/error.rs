use std::time::Duration;

use azure::{AccountSource, ErrorKind, Part};

use crate::StorageError;

/// How long a container or queue that is being deleted usually takes to be gone.
const BEING_DELETED: Duration = Duration::from_secs(30);

/// Where an operator should look when storage refuses the credentials.
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

/// What to look at when a part goes on not answering, or answering something else than it should.
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

/// What an error of the account's services means to the service.
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
        ErrorKind::Conflict { code } if code.ends_with("BeingDeleted") => unavailable(Some(BEING_DELETED)),
        // It vanished again right after it was made, or something else than storage answered.
        ErrorKind::NotFound { .. } | ErrorKind::Unexpected(_) => unavailable(None),
        // Nothing that this program asks of them depends on its input.
        ErrorKind::Conflict { .. } | ErrorKind::Refused { .. } if of_credentials => {
            let check = error.part().map_or("the configuration", to_check);
            StorageError::Misconfigured(format!("{error}: check {check}"))
        }
        ErrorKind::Conflict { .. } => StorageError::Blocked(error.to_string()),
        ErrorKind::Refused { .. } => StorageError::Refused(error.to_string()),
    }
}

/// Whether the container or queue is not there (yet).
pub(super) fn is_missing(error: &azure::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound { code } if code == "ContainerNotFound" || code == "QueueNotFound")
}
