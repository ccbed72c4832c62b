//! The two interfaces to storage: one for task documents and results, one for messages.
//!
//! Both are used as objects, so that a variable can select another store or queue. An object adds all of its methods to
//! a component, so methods that only one component calls are in separate traits: [`PublicStore`] and
//! [`MonitoredQueue`] for the API, [`ResultStore`] and [`TaskReceiver`] for the worker. Signing links is 21 KB that
//! the worker does not contain, receiving is 10 KB that the API does not contain.
//!
//! # Layout
//! - `store`, `queue`: the interfaces and the results of their calls; `error`: why a call failed.
//! - `azure`: the implementation with Blob Storage and Queue Storage.
//!
//! Another store or queue is a folder beside `azure`, and a line in each of [`open_for_api`] and [`open_for_worker`].

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
    AttachmentPart, ListedDocument, Page, PublicStore, Read, ResultStore, StatusStore, StoredDocument,
};

/// The storage that the API uses.
#[derive(Clone)]
pub struct ApiStorage {
    /// Task documents and results.
    pub store: Rc<dyn PublicStore>,
    /// Messages.
    pub queue: Rc<dyn MonitoredQueue>,
}

/// The storage that the worker uses.
#[derive(Clone)]
pub struct WorkerStorage {
    /// Task documents and results.
    pub store: Rc<dyn ResultStore>,
    /// Messages.
    pub queue: Rc<dyn TaskReceiver>,
}

/// Opens the configured storage for the API. It sends no request.
///
/// # Errors
/// The text names the variable if no account is configured, or the configuration is incomplete.
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
