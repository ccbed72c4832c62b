use std::rc::Rc;

use azure::{AccountSource, ConfigError, Env, Limits, RetryPolicy, StorageClient};

use super::error::{self, Advice};
use crate::{StorageError, StorageSettings};

/// Room for the largest document: a request body at the limit, its result and the rest.
const LARGEST_ANSWER: usize = 160 * 1024 * 1024;

/// The storage account.
pub(super) struct Account {
    pub(super) storage: StorageClient,
    advice: Advice,
}

impl Account {
    pub(super) fn open(env: Rc<dyn Env>, settings: &StorageSettings) -> Result<Self, ConfigError> {
        let usual = RetryPolicy::default();
        let policy = RetryPolicy {
            limits: Limits { max_response_bytes: LARGEST_ANSWER, ..Limits::default() },
            deadline: settings.deadline.unwrap_or(usual.deadline).min(usual.deadline),
            ..usual
        };
        let source = AccountSource::decide(&settings.account)?;
        let advice = Advice::for_source(&source);
        Ok(Self { storage: StorageClient::new(env, source, policy), advice })
    }

    /// What an error of the account's services means to the service.
    pub(super) fn error(&self, error: &azure::Error) -> StorageError {
        error::storage_error(error, self.advice)
    }
}
