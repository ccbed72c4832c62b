//! The seams of [`crate::storage`] over Azure: task documents in Blob Storage, messages in Storage
//! Queue. Container and queues are made on first use.

mod account;
mod blob;
mod error;
mod queue;

use std::rc::Rc;

use crate::env::Env;
use crate::settings::StorageSettings;
use crate::storage::{ApiStorage, WorkerStorage};
use account::Account;
use blob::BlobStore;
use queue::StorageQueues;

/// Opens what the API needs of the account that the settings name.
///
/// Never fails: settings that name no account, or half of one, become the answer of every call, as
/// [`StorageError::Misconfigured`](crate::storage::StorageError::Misconfigured) with a sentence that
/// names the variable.
#[must_use]
pub fn open_for_api(env: Rc<dyn Env>, settings: &StorageSettings) -> ApiStorage {
    let (store, queue) = open(env, settings);
    ApiStorage { store, queue }
}

/// As [`open_for_api`], for the worker.
#[must_use]
pub fn open_for_worker(env: Rc<dyn Env>, settings: &StorageSettings) -> WorkerStorage {
    let (store, queue) = open(env, settings);
    WorkerStorage { store, queue }
}

fn open(env: Rc<dyn Env>, settings: &StorageSettings) -> (Rc<BlobStore>, Rc<StorageQueues>) {
    let account = Rc::new(Account::open(env, settings));
    let store = BlobStore::new(Rc::clone(&account), settings.container_name.clone());
    let queues = StorageQueues::new(account, &settings.queue_name);
    (Rc::new(store), Rc::new(queues))
}

#[cfg(test)]
mod tests;
