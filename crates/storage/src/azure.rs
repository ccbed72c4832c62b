//! The interfaces over Azure: task documents in Blob Storage, messages in Storage
//! Queue. Container and queues are made on first use.

mod account;
mod blob;
mod error;
mod queue;

use std::rc::Rc;

use ::azure::Env;

use crate::StorageSettings;
use account::Account;
use blob::BlobStore;
use queue::StorageQueues;

/// Opens the account that the settings name.
pub(crate) fn open(env: Rc<dyn Env>, settings: &StorageSettings) -> (Rc<BlobStore>, Rc<StorageQueues>) {
    let account = Rc::new(Account::open(env, settings));
    let store = BlobStore::new(Rc::clone(&account), settings.container_name.clone());
    let queues = StorageQueues::new(account, &settings.queue_name);
    (Rc::new(store), Rc::new(queues))
}

#[cfg(test)]
mod tests;
