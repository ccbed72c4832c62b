//! The two interfaces to storage: where task documents live and where messages wait.
//!
//! Both are used as objects, so that another store or queue can be chosen by a variable. Each has a second trait
//! for what only one component asks for, because an object brings all of its methods into a component: signing
//! links is 21 KB that the worker does not carry, and receiving is 10 KB that the API does not carry.
//!
//! # Layout
//! - `store`, `queue`: the interfaces and what their calls return; `error`: why storage did not do it.
//! - `azure`: task documents in Blob Storage, messages in Storage Queue.
//!
//! Another store or queue is a folder beside `azure`, and a line in [`open_for_api`] and [`open_for_worker`].

mod azure;
mod error;
mod etag;
mod queue;
mod settings;
mod store;

use std::rc::Rc;

pub use ::azure::{LeaseLost, Write};
pub use error::{StorageError, StorageFuture};
pub use etag::ETag;
pub use queue::{QueueName, ReceivedMessage, TaskQueue, TaskReceiver};
pub use settings::StorageSettings;
pub use store::{ListedDocument, Page, PublicStore, Read, ResultPart, StatusStore, StoredDocument};

/// What the API works with.
#[derive(Clone)]
pub struct ApiStorage {
    /// Task documents and results.
    pub store: Rc<dyn PublicStore>,
    /// Messages.
    pub queue: Rc<dyn TaskQueue>,
}

/// What the worker works with.
#[derive(Clone)]
pub struct WorkerStorage {
    /// Task documents and results.
    pub store: Rc<dyn StatusStore>,
    /// Messages.
    pub queue: Rc<dyn TaskReceiver>,
}

/// Opens what the API needs of the storage that the settings name.
///
/// Never fails: settings that name no account, or half of one, become the answer of every call, as
/// [`StorageError::Misconfigured`] with a sentence that names the variable.
#[must_use]
pub fn open_for_api(env: Rc<dyn ::azure::Env>, settings: &StorageSettings) -> ApiStorage {
    let (store, queue) = azure::open(env, settings);
    ApiStorage { store, queue }
}

/// As [`open_for_api`], for the worker.
#[must_use]
pub fn open_for_worker(env: Rc<dyn ::azure::Env>, settings: &StorageSettings) -> WorkerStorage {
    let (store, queue) = azure::open(env, settings);
    WorkerStorage { store, queue }
}
