//! The seams of [`crate::storage`] over Azure: task documents in Blob Storage, messages in Storage
//! Queue. Container and queues are made on first use.

mod account;
mod blob;
mod error;
mod queue;

pub use blob::BlobStore;
pub use queue::StorageQueues;

use std::rc::Rc;

use crate::env::Env;
use crate::settings::StorageSettings;
use account::Account;

/// Opens the account that the settings name.
///
/// Never fails: settings that name no account, or half of one, become the answer of every call, as
/// [`StorageError::Misconfigured`](crate::storage::StorageError::Misconfigured) with a sentence that
/// names the variable.
#[must_use]
pub fn open<E: Env>(env: Rc<E>, settings: &StorageSettings) -> (BlobStore<E>, StorageQueues<E>) {
    let account = Rc::new(Account::open(env, settings));
    let blobs = BlobStore::new(Rc::clone(&account), settings.container_name.clone());
    let queues = StorageQueues::new(account, &settings.queue_name);
    (blobs, queues)
}

#[cfg(test)]
mod tests;
