use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use lifecycle::Policy;
use lifecycle::pace::MAX_REST;
use service::env::{Env, Instant};
use service::log::Line;
use service::settings::WorkerSettings;
use storage::{QueueName, ReceivedMessage, ResultStore, StorageError, TaskReceiver, WorkerStorage};

/// How long to leave storage alone when it named no time of its own.
const DEFAULT_REST: Duration = Duration::from_secs(5);
/// How long to leave storage alone when it refuses the credentials.
pub(crate) const OPERATOR_REST: Duration = Duration::from_secs(30);

/// Everything that the work of one instance shares.
pub(crate) struct Engine {
    pub(crate) env: Rc<dyn Env>,
    pub(crate) store: Rc<dyn ResultStore>,
    pub(crate) queue: Rc<dyn TaskReceiver>,
    pub(crate) settings: WorkerSettings,
    pub(crate) policy: Policy,
    /// When this instance started.
    pub(crate) started_at: Instant,
    /// When this instance last looked at the scheduled queue.
    pub(crate) promoted_at: Cell<Option<Instant>>,
    /// Before this moment the sweep's state is not worth a request.
    pub(crate) sweep_look_at: Cell<Instant>,
}

impl Engine {
    pub(crate) fn new(env: Rc<dyn Env>, settings: WorkerSettings, storage: WorkerStorage) -> Self {
        let WorkerStorage { store, queue } = storage;
        let policy = Policy {
            visibility: settings.visibility,
            max_dequeue_count: settings.max_dequeue_count,
            task_timeout: settings.task_timeout,
            retry_base: settings.retry_base,
            retry_cap: settings.retry_cap,
            retention: settings.retention,
        };
        let started_at = env.instant();
        let (promoted_at, sweep_look_at) = (Cell::new(None), Cell::new(started_at));
        Self { env, store, queue, settings, policy, started_at, promoted_at, sweep_look_at }
    }

    /// Logs that `what` could not be done, and says how long to leave storage alone when that may help.
    pub(crate) fn note(&self, what: &'static str, error: &StorageError) -> Option<Duration> {
        let rest = match error {
            StorageError::Unavailable { retry_after, .. } => Some(retry_after.unwrap_or(DEFAULT_REST)),
            // An operator has to act; until then every further delivery would only use up a try.
            StorageError::Misconfigured(_) | StorageError::NoContainer(_) => Some(OPERATOR_REST),
            // A matter of this one request.
            StorageError::Refused(_) | StorageError::Blocked(_) | StorageError::Unreadable { .. } => None,
        };
        // What the launcher does not grant is not asked for.
        let rest = rest.map(|rest| rest.min(MAX_REST));
        let is_passing = matches!(error, StorageError::Unavailable { .. });
        let line = if is_passing { Line::warn(what) } else { Line::error(what) };
        self.env.log(&line.with("cause", error.to_string()));
        rest
    }

    /// Deletes a message whose task needs it no more. When that fails the message comes back, and its next
    /// delivery finds the same.
    pub(crate) async fn discard(&self, delivery: &ReceivedMessage) {
        if let Err(error) = self.queue.delete(QueueName::Tasks, delivery).await {
            self.note("a message could not be deleted", &error);
        }
    }
}
