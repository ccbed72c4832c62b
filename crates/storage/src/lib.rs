//! The two interfaces to storage: one for task documents and results, one for messages.
//!
//! Both are used as objects, so that a variable can select another store or queue. An object adds all of its methods to
//! a component, so methods that only one component calls are in separate traits: [`PublicStore`] and
//! [`MonitoredQueue`] for the API, [`ResultStore`] for the worker; both receive messages by [`TaskReceiver`]. Signing
//! links is 21 KB that the worker does not contain.
//!
//! # Layout
//! - `store`, `queue`: the interfaces and the results of their calls; `error`: why a call failed.
//! - `key_marker`: the marker of a unique key; `pause`: the pause of the queue; `schedules`: recurring tasks.
//! - `send`: the message of a task.
//! - `azure`: the implementation with Blob Storage and Queue Storage.
//!
//! Another store or queue is a folder beside `azure`, and a line in [`open`].

mod azure;
mod error;
mod etag;
mod key_marker;
mod pause;
mod queue;
mod schedules;
mod send;
mod settings;
mod store;

use std::rc::Rc;

use ::azure::{ConfigError, Env};

pub use ::azure::{LeaseLost, Write};

pub use error::{StorageError, StorageFuture};
pub use etag::ETag;
pub use key_marker::{KeyMarker, key_marker_name, read_key_marker, release_key};
pub use pause::{Pause, pause, read_pause, resume};
pub use queue::{MonitoredQueue, PeekedMessage, QueueName, ReceivedMessage, TaskQueue, TaskReceiver};
pub use schedules::{ChangeError, change_schedules, read_schedules, save_schedules};
pub use send::send_task;
pub use settings::StorageSettings;
pub use store::{
    AttachmentPart, ListedDocument, Page, PublicStore, Read, ResultStore, StatusStore, StoredDocument,
};

/// The storage of one component: [`ApiStorage`] or [`WorkerStorage`].
pub trait ComponentStorage: Sized {
    /// Takes the interfaces that this component uses from a store and a queue that implement all of them.
    fn of<S, Q>(store: Rc<S>, queue: Rc<Q>) -> Self
    where
        S: PublicStore + ResultStore + 'static,
        Q: MonitoredQueue + 'static;
}

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

impl ComponentStorage for ApiStorage {
    fn of<S, Q>(store: Rc<S>, queue: Rc<Q>) -> Self
    where
        S: PublicStore + 'static,
        Q: MonitoredQueue + 'static,
    {
        Self { store, queue }
    }
}

impl ComponentStorage for WorkerStorage {
    fn of<S, Q>(store: Rc<S>, queue: Rc<Q>) -> Self
    where
        S: ResultStore + 'static,
        Q: TaskReceiver + 'static,
    {
        Self { store, queue }
    }
}

/// Opens the configured storage for a component. It sends no request.
///
/// # Errors
/// The text names the variable if no account is configured, or the configuration is incomplete.
pub fn open<C: ComponentStorage>(env: Rc<dyn Env>, settings: &StorageSettings) -> Result<C, ConfigError> {
    azure::open(env, settings).map(|(store, queue)| C::of(store, queue))
}
