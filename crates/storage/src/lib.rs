//! The two interfaces to storage: where task documents live and where messages wait.
//!
//! Both are used as objects, so that another store or queue can be chosen by a variable. An object brings all of
//! its methods into a component, so what only one component calls is in traits of its own: [`PublicStore`] and
//! [`MonitoredQueue`] for the API, [`ResultStore`] and [`TaskReceiver`] for the worker. Signing links is 21 KB that
//! the worker does not carry, receiving is 10 KB that the API does not carry.
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

use ::azure::{ConfigError, Env};

pub use ::azure::{LeaseLost, Write};

pub use error::{StorageError, StorageFuture};
pub use etag::ETag;
pub use queue::{MonitoredQueue, QueueName, ReceivedMessage, TaskQueue, TaskReceiver};
pub use settings::StorageSettings;
pub use store::{
    ListedDocument, Page, PublicStore, Read, ResultPart, ResultStore, StatusStore, StoredDocument,
};

/// What the API works with.
#[derive(Clone)]
pub struct ApiStorage {
    /// Task documents and results.
    pub store: Rc<dyn PublicStore>,
    /// Messages.
    pub queue: Rc<dyn MonitoredQueue>,
}

/// What the worker works with.
#[derive(Clone)]
pub struct WorkerStorage {
    /// Task documents and results.
    pub store: Rc<dyn ResultStore>,
    /// Messages.
    pub queue: Rc<dyn TaskReceiver>,
}

/// Opens what the API needs of the storage that the settings name.
///
/// # Errors
/// A sentence that names the variable when the settings name no account, or half of one.
pub fn open_for_api(env: Rc<dyn Env>, settings: &StorageSettings) -> Result<ApiStorage, ConfigError> {
    let (store, queue) = azure::open(env, settings)?;
    Ok(ApiStorage { store, queue })
}

/// As [`open_for_api`], for the worker.
///
/// # Errors
/// As [`open_for_api`].
pub fn open_for_worker(env: Rc<dyn Env>, settings: &StorageSettings) -> Result<WorkerStorage, ConfigError> {
    let (store, queue) = azure::open(env, settings)?;
    Ok(WorkerStorage { store, queue })
}
