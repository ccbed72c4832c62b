//! The implementation with Azure: task documents in Blob Storage, messages in Queue Storage. Container and queues are
//! created on first use.

mod account;
mod blob;
mod error;
mod queue;

use std::rc::Rc;

use ::azure::{ConfigError, Env};
use account::Account;
use blob::BlobStore;
use queue::StorageQueues;

use crate::StorageSettings;

/// Opens the configured account.
///
/// # Errors
/// The text names the variable if no account is configured, or the configuration is incomplete.
pub(crate) fn open(
    env: Rc<dyn Env>,
    settings: &StorageSettings,
) -> Result<(Rc<BlobStore>, Rc<StorageQueues>), ConfigError> {
    let account = Rc::new(Account::open(env, settings)?);
    let store = BlobStore::new(Rc::clone(&account), settings.container_name.clone());
    let queues = StorageQueues::new(account, &settings.queue_name, settings.priority_queues);
    Ok((Rc::new(store), Rc::new(queues)))
}
