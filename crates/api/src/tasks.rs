//! What every route about tasks works with, and the steps several of them share.

pub(crate) mod cancel;
mod continuation;
pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod list;
pub(crate) mod monitor;
pub(crate) mod result;
pub(crate) mod retry;
pub(crate) mod submit;
pub(crate) mod wait;
mod watched;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use http::header::{ETAG, RETRY_AFTER};
use models::{Monitor, MonitorState, TaskId, TaskMessage, TaskState, TaskStatus, Timestamp};
use service::env::Env;
use service::problem::{Kind, Refusal};
use service::response::{self, Response};
use service::settings::ApiSettings;
use storage::{ApiStorage, MonitoredQueue, PublicStore, QueueName, Read, StorageError, StoredDocument};

use crate::http::auth;
use crate::http::call::Call;
use crate::remembered::Remembered;
use crate::tasks::watched::Watchers;

/// How long a queue depth that was once read decides about overload.
const DEPTH_AGE: Duration = Duration::from_secs(5);

/// Tries of a conditional write before the client is asked to come again.
pub(crate) const WRITE_TRIES: usize = 5;

/// What the last probe of storage found.
pub(crate) type Readiness = Result<(), StorageError>;

/// What storage says about its queues.
#[derive(Clone)]
pub(crate) struct Depths {
    pub(crate) messages: [(&'static str, Option<u64>); 3],
    /// When the oldest visible message of the task queue was put.
    pub(crate) oldest: Result<Option<Timestamp>, StorageError>,
}

/// Store, queue, settings and what the instance remembers.
pub(crate) struct Tasks {
    pub(crate) env: Rc<dyn Env>,
    pub(crate) settings: ApiSettings,
    pub(crate) store: Rc<dyn PublicStore>,
    pub(crate) queue: Rc<dyn MonitoredQueue>,
    depth: Remembered<Option<u64>>,
    pub(crate) readiness: Remembered<Readiness>,
    pub(crate) depths: Remembered<Depths>,
    /// Tasks that streams and waits watch.
    pub(crate) watchers: Watchers,
    /// Event streams that are open.
    pub(crate) streams: Rc<Cell<usize>>,
    /// Requests that wait for the end of a task.
    pub(crate) waits: Rc<Cell<usize>>,
}

impl Tasks {
    pub(crate) fn new(env: Rc<dyn Env>, settings: ApiSettings, storage: ApiStorage) -> Self {
        let ApiStorage { store, queue } = storage;
        Self {
            env,
            settings,
            store,
            queue,
            depth: Remembered::new(),
            readiness: Remembered::new(),
            depths: Remembered::new(),
            watchers: Watchers::default(),
            streams: Rc::default(),
            waits: Rc::default(),
        }
    }

    /// Depth of the task queue, at most [`DEPTH_AGE`] old; `None` when storage does not tell.
    pub(crate) async fn queue_depth(&self) -> Option<u64> {
        let ask = async { self.queue.depth(QueueName::Tasks).await.ok() };
        self.depth.get(|| self.env.instant(), DEPTH_AGE, ask).await.flatten()
    }

    /// The task, if there is one that the caller may see. Boxed because nearly every route begins so: one
    /// copy of the code in the component instead of one for each.
    pub(crate) async fn find(&self, call: &Call, id: TaskId) -> Result<StoredDocument, Refusal> {
        match self.store.read(id, None).await {
            Ok(Read::Found(stored)) if auth::may_see(stored.document.owner.as_deref(), &call.caller) => {
                Ok(*stored)
            }
            // Another caller's task looks like none. Before the first submission there is no container.
            Ok(_) | Err(StorageError::NoContainer(_)) => Err(task_not_found()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts the message of a stored task where it waits.
    pub(crate) async fn put_message(&self, stored: &StoredDocument, delay: Duration) -> Result<(), Refusal> {
        let text = TaskMessage::text_for(&stored.document, Some(&stored.etag));
        let queue = if delay.is_zero() { QueueName::Tasks } else { QueueName::Scheduled };
        Ok(self.queue.send(queue, &text, delay).await?)
    }

    /// The status monitor as a client sees it.
    pub(crate) fn view(&self, call: &Call, stored: &StoredDocument) -> Result<Monitor, Refusal> {
        let document = &stored.document;
        Ok(monitor_at(document, call.task_url(&self.settings, document.task_id)?))
    }

    /// An answer whose body is the status monitor.
    pub(crate) fn shown(
        &self,
        call: &Call,
        status: StatusCode,
        stored: &StoredDocument,
    ) -> Result<Response, Refusal> {
        let mut answer = response::json(status, &self.view(call, stored)?);
        self.describe(&mut answer, stored);
        Ok(answer)
    }

    /// The headers that go with a status monitor.
    pub(crate) fn describe(&self, answer: &mut Response, stored: &StoredDocument) {
        response::set(answer, ETAG, &stored.etag);
        if let Some(seconds) = self.retry_after(stored) {
            response::set(answer, RETRY_AFTER, &seconds.to_string());
        }
    }

    /// Seconds until a look at the task is worth while, by its age and by the queue as far as its length
    /// is known; `None` once it is terminal.
    pub(crate) fn retry_after(&self, stored: &StoredDocument) -> Option<u64> {
        let now = self.env.timestamp();
        let by_age = lifecycle::monitor::retry_after(&stored.document, now)?;
        let depth = self.depth.known(self.env.instant(), 2 * DEPTH_AGE).flatten().unwrap_or(0);
        Some(by_age.max(lifecycle::monitor::queue_wait(&stored.document, depth, now)).as_secs())
    }

    /// Reads the length of the queue for [`Self::retry_after`] if the task has waited long enough to suggest a queue. A
    /// new task costs no request.
    pub(crate) async fn learn_queue(&self, stored: &StoredDocument) {
        if lifecycle::monitor::suggests_queue(&stored.document, self.env.timestamp()) {
            self.queue_depth().await;
        }
    }
}

/// The status monitor of a task whose absolute address is `address`.
pub(crate) fn monitor_at(document: &TaskStatus, address: String) -> Monitor {
    let monitor = Monitor::of(document);
    let result_location = monitor.result_location.map(|_| format!("{address}/result"));
    let resource_location = Some(address).filter(|_| document.state == TaskState::Completed);
    Monitor { result_location, resource_location, ..monitor }
}

/// The state in the word that clients know it by.
pub(crate) fn word(state: TaskState) -> &'static str {
    match MonitorState::from(state) {
        MonitorState::NotStarted => "NotStarted",
        MonitorState::Running => "Running",
        MonitorState::Succeeded => "Succeeded",
        MonitorState::Failed => "Failed",
        MonitorState::Canceled => "Canceled",
    }
}

/// There is no task of this id that the caller may see.
pub(crate) fn task_not_found() -> Refusal {
    Refusal::new(Kind::TaskNotFound, "No task with this id is known. It may have been deleted or purged.")
}

/// The document changed under every try of a conditional write.
pub(crate) fn contended() -> Refusal {
    Refusal::new(Kind::Contended, "The task changed during every try. Send the request again.").retry_after(1)
}
