//! The operations on tasks, one file each, and the state and steps that they share.

pub(crate) mod accept;
mod accepted;
pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod cancel;
mod continuation;
pub(crate) mod delete;
pub(crate) mod events;
mod identity;
pub(crate) mod list;
mod long_poll;
pub(crate) mod monitor;
pub(crate) mod result;
pub(crate) mod retry;
mod selection;
mod shared_reads;
pub(crate) mod submit;
mod unique;

pub(crate) use selection::page_size;

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use http::StatusCode;
use http::header::{ETAG, RETRY_AFTER};
use models::{EventMessage, Monitor, MonitorState, SinkMessage, TaskId, TaskState, TaskStatus, Timestamp};
use service::env::Env;
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use service::settings::ApiSettings;
use storage::{
    ApiStorage, MonitoredQueue, PublicStore, QueueName, Read, StorageError, StoredDocument, send_task,
};

use crate::http::auth;
use crate::http::request::ApiRequest;
use crate::permit::Permits;
use crate::tasks::shared_reads::SharedReads;
use crate::ttl_cache::TtlCache;

/// Maximum age of the queue depth that decides about overload.
const MAX_DEPTH_AGE: Duration = Duration::from_secs(5);

/// The longest time in which a request waits for the put of an event.
const MAX_PUT_TIME: Duration = Duration::from_secs(3);

/// Tries of a conditional write before the response is `503` with the problem `contended`.
pub(crate) const MAX_WRITE_TRIES: usize = 5;

/// Outcome of a probe of storage.
pub(crate) type Readiness = Result<(), StorageError>;

/// Numbers about the queues, as storage returned them.
#[derive(Clone)]
pub(crate) struct QueueMetrics {
    /// Name and depth of each queue; `None` if storage did not return the depth.
    pub(crate) depths: Vec<(&'static str, Option<u64>)>,
    /// Name of each task queue, and when its oldest visible message was sent.
    pub(crate) oldest: Vec<(&'static str, Result<Option<Timestamp>, StorageError>)>,
}

/// State of the operations: storage, settings, cached values and limits.
pub(crate) struct Tasks {
    pub(crate) env: Rc<dyn Env>,
    pub(crate) settings: ApiSettings,
    pub(crate) store: Rc<dyn PublicStore>,
    pub(crate) queue: Rc<dyn MonitoredQueue>,
    queue_depth: TtlCache<Option<u64>>,
    pub(crate) readiness: TtlCache<Readiness>,
    pub(crate) queue_metrics: TtlCache<QueueMetrics>,
    /// Reads that event streams and long polls share.
    pub(crate) shared_reads: SharedReads,
    /// Permits for open event streams.
    pub(crate) event_streams: Permits,
    /// Permits for waiting requests.
    pub(crate) long_polls: Permits,
}

impl Tasks {
    pub(crate) fn new(env: Rc<dyn Env>, settings: ApiSettings, storage: ApiStorage) -> Self {
        let ApiStorage { store, queue } = storage;
        Self {
            env,
            settings,
            store,
            queue,
            queue_depth: TtlCache::new(),
            readiness: TtlCache::new(),
            queue_metrics: TtlCache::new(),
            shared_reads: SharedReads::default(),
            event_streams: Permits::new(events::MAX_EVENT_STREAMS),
            long_polls: Permits::new(long_poll::MAX_LONG_POLLS),
        }
    }

    /// Number of messages in the task queues, at most [`MAX_DEPTH_AGE`] old; `None` if storage does not return it.
    pub(crate) async fn queue_depth(&self) -> Option<u64> {
        let fetch = async {
            let mut depth = 0_u64;
            for (queue, _) in QueueName::of_tasks(self.settings.storage.priority_queues) {
                depth = depth.saturating_add(self.queue.depth(*queue).await.ok()?);
            }
            Some(depth)
        };
        self.queue_depth.get(|| self.env.instant(), MAX_DEPTH_AGE, fetch).await.flatten()
    }

    /// Reads the task. A task that the caller may not see is not found.
    pub(crate) async fn find(&self, request: &ApiRequest, id: TaskId) -> Result<StoredDocument, HttpError> {
        match self.store.read(id, None).await {
            Ok(Read::Found(stored)) if auth::may_see(stored.document.owner.as_deref(), &request.caller) => {
                Ok(*stored)
            }
            // The container is created by the first submission.
            Ok(_) | Err(StorageError::NoContainer(_)) => Err(task_not_found()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends the message of a stored task: to the queue of its priority, or with a delay to the scheduled queue.
    pub(crate) async fn send_message(
        &self,
        stored: &StoredDocument,
        delay: Duration,
    ) -> Result<(), HttpError> {
        self.send(stored, delay, false).await
    }

    /// As [`Self::send_message`], for a task that was not queued before: puts the event of its acceptance first, so that a
    /// crash in between leaves a task without a message, which is queued again with the event. If the event cannot be put,
    /// the message of the task says so, and a worker puts it.
    pub(crate) async fn send_first_message(
        &self,
        stored: &StoredDocument,
        delay: Duration,
    ) -> Result<(), HttpError> {
        let is_put = self.put_accepted(&stored.document).await;
        self.send(stored, delay, !is_put).await
    }

    async fn send(
        &self,
        stored: &StoredDocument,
        delay: Duration,
        accepted_due: bool,
    ) -> Result<(), HttpError> {
        Ok(send_task(&*self.queue, &stored.document, &stored.etag, delay, accepted_due).await?)
    }

    /// Puts the message of the event of a task that this request has ended, if one is due. The client is not told of a
    /// failure: a worker puts the message when it receives that of the task, or in the sweep.
    pub(crate) async fn put_event(&self, stored: &StoredDocument) {
        let document = &stored.document;
        if let Some(message) = EventMessage::of(document) {
            self.put(document, &message.text()).await;
        }
        if let Some(message) = EventMessage::for_sink(document) {
            // The submission may have crashed before it put the event of the acceptance. If that cannot be put now, the end stays
            // due, and the sweep puts both.
            if document.attempt > 0 || self.put_accepted(document).await {
                self.put(document, &message.text()).await;
            }
        }
    }

    /// Puts the event of the acceptance, if the events of the task go to the sink. Returns false if it may not have been put.
    async fn put_accepted(&self, document: &TaskStatus) -> bool {
        match SinkMessage::accepted(document) {
            Some(message) => self.put(document, &message.text()).await,
            None => true,
        }
    }

    /// Puts the message of an event within a bounded time. Returns false if it may not have been put.
    async fn put(&self, document: &TaskStatus, text: &str) -> bool {
        let sent = self.queue.send(QueueName::Events, text, Duration::ZERO);
        let cause = match select(sent, self.env.sleep(MAX_PUT_TIME)).await {
            Either::Left((Ok(()), _)) => return true,
            Either::Left((Err(error), _)) => error.to_string(),
            Either::Right(_) => format!("no response within {} s", MAX_PUT_TIME.as_secs()),
        };
        let line = Line::warn("an event could not be queued; a worker queues it later");
        self.env.log(&line.with("task_id", document.task_id.to_string()).with("cause", cause));
        false
    }

    /// A response whose body is the status monitor.
    pub(crate) fn monitor_response(
        &self,
        request: &ApiRequest,
        status: StatusCode,
        stored: &StoredDocument,
    ) -> Result<Response, HttpError> {
        let address = request.task_url(&self.settings, stored.document.task_id)?;
        let mut response = response::json(status, &monitor_at(&stored.document, address));
        self.set_monitor_headers(&mut response, stored);
        Ok(response)
    }

    /// Sets the headers of a status monitor: `ETag` and, until the task is terminal, `Retry-After`.
    pub(crate) fn set_monitor_headers(&self, response: &mut Response, stored: &StoredDocument) {
        response::set(response, ETAG, &stored.etag);
        if let Some(seconds) = self.retry_after(stored) {
            response::set(response, RETRY_AFTER, &seconds.to_string());
        }
    }

    /// Seconds until the next poll, from the age of the task and the cached queue depth; `None` for a terminal
    /// task.
    pub(crate) fn retry_after(&self, stored: &StoredDocument) -> Option<u64> {
        let now = self.env.timestamp();
        let by_age = lifecycle::monitor::retry_after(&stored.document, now)?;
        let depth = self.queue_depth.cached(self.env.instant(), 2 * MAX_DEPTH_AGE).flatten().unwrap_or(0);
        Some(by_age.max(lifecycle::monitor::queue_wait(&stored.document, depth, now)).as_secs())
    }

    /// Refreshes the queue depth for [`Self::retry_after`] if the task has waited long enough to suggest a queue. For
    /// a new task this sends no request.
    pub(crate) async fn refresh_queue_depth(&self, stored: &StoredDocument) {
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

/// The public name of a state.
pub(crate) fn public_name(state: TaskState) -> &'static str {
    MonitorState::from(state).as_str()
}

/// The error if no task has this id, or the caller may not see it.
pub(crate) fn task_not_found() -> HttpError {
    HttpError::new(
        ProblemKind::TaskNotFound,
        "No task with this id is known. It may have been deleted or purged.",
    )
}

/// The error if another request changed the document during every try of a conditional write.
pub(crate) fn contended() -> HttpError {
    HttpError::new(ProblemKind::Contended, "The task changed during every try. Send the request again.")
        .retry_after(1)
}
