use std::rc::Rc;

use azure::{AccountSource, ConfigError, Env, Limits, RetryPolicy, StorageClient};

use super::error::{self, Advice};
use crate::{StorageError, StorageSettings};

/// Maximum size of a response: a document with a request body at the limit, its result and the other members.
const MAX_RESPONSE_BYTES: usize = 160 * 1024 * 1024;

/// The storage account.
pub(super) struct Account {
    pub(super) storage: StorageClient,
    advice: Advice,
}

impl Account {
    pub(super) fn open(env: Rc<dyn Env>, settings: &StorageSettings) -> Result<Self, ConfigError> {
        let default = RetryPolicy::default();
        let policy = RetryPolicy {
            limits: Limits { max_response_bytes: MAX_RESPONSE_BYTES, ..Limits::default() },
            deadline: settings.deadline.unwrap_or(default.deadline).min(default.deadline),
            ..default
        };
        let source = AccountSource::decide(&settings.account)?;
        let advice = Advice::for_source(&source);
        Ok(Self { storage: StorageClient::new(env, source, policy), advice })
    }

    /// The [`StorageError`] for an error of the client.
    pub(super) fn error(&self, error: &azure::Error) -> StorageError {
        error::storage_error(error, self.advice)
    }
}
