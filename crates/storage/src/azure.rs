//! The interfaces over Azure: task documents in Blob Storage, messages in Storage
//! Queue. Container and queues are made on first use.

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

/// Opens the account that the settings name.
///
/// # Errors
/// A sentence that names the variable when they name none, or half of one.
pub(crate) fn open(
    env: Rc<dyn Env>,
    settings: &StorageSettings,
) -> Result<(Rc<BlobStore>, Rc<StorageQueues>), ConfigError> {
    let account = Rc::new(Account::open(env, settings)?);
    let store = BlobStore::new(Rc::clone(&account), settings.container_name.clone());
    let queues = StorageQueues::new(account, &settings.queue_name);
    Ok((Rc::new(store), Rc::new(queues)))
}
