use std::rc::Rc;

use azure::{AccountSource, Env, Limits, RetryPolicy, StorageClient};

use super::error::{self, Advice};
use crate::{StorageError, StorageSettings};

/// Room for the largest document: a request body at the limit, its result and the rest.
const LARGEST_ANSWER: usize = 160 * 1024 * 1024;

/// The storage account, or why there is none.
pub(super) struct Account {
    storage: Result<StorageClient, StorageError>,
    advice: Advice,
}

impl Account {
    pub(super) fn open(env: Rc<dyn Env>, settings: &StorageSettings) -> Self {
        let usual = RetryPolicy::default();
        let policy = RetryPolicy {
            limits: Limits { max_response_bytes: LARGEST_ANSWER, ..Limits::default() },
            deadline: settings.deadline.unwrap_or(usual.deadline).min(usual.deadline),
            ..usual
        };
        match AccountSource::decide(&settings.account) {
            Ok(source) => {
                let advice = Advice::for_source(&source);
                Self { storage: Ok(StorageClient::new(env, source, policy)), advice }
            }
            Err(error) => {
                let sentence = format!("configuration: {error}");
                Self { storage: Err(StorageError::Misconfigured(sentence)), advice: Advice::ConnectionString }
            }
        }
    }

    pub(super) fn storage(&self) -> Result<&StorageClient, StorageError> {
        self.storage.as_ref().map_err(Clone::clone)
    }

    /// What an error of the account's services means to the service.
    pub(super) fn error(&self, error: &azure::Error) -> StorageError {
        error::storage_error(error, self.advice)
    }
}
