//! What all tasks of one instance share.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use azure::{EVENT_GRID_RESOURCE, TokenSource};
use lifecycle::Policy;
use lifecycle::pace::MAX_REST;
use service::env::{Env, Instant};
use service::log::Line;
use service::settings::WorkerSettings;
use service::sink::SinkAuth;
use storage::{ReceivedMessage, ResultStore, StorageError, TaskReceiver, WorkerStorage};

use crate::pause_state::PauseState;

/// The rest if storage is not available and names no time.
const DEFAULT_REST: Duration = Duration::from_secs(5);
/// The rest until an operator may have corrected the configuration.
pub(crate) const OPERATOR_REST: Duration = Duration::from_secs(30);

/// What all tasks of one instance share.
pub(crate) struct Engine {
    pub(crate) env: Rc<dyn Env>,
    pub(crate) store: Rc<dyn ResultStore>,
    pub(crate) queue: Rc<dyn TaskReceiver>,
    pub(crate) settings: WorkerSettings,
    /// The policy of tasks whose name is not known, or has no rule.
    pub(crate) policy: Policy,
    /// The policy of the sweep, which does not know the names.
    pub(crate) sweep_policy: Policy,
    /// Whether every handler of this process was found to exist.
    pub(crate) handlers_exist: Cell<bool>,
    /// Whether the queue is paused, as far as this instance has read it.
    pub(crate) pause: PauseState,
    /// When this instance started.
    pub(crate) started_at: Instant,
    /// When this instance last checked the scheduled queue.
    pub(crate) promoted_at: Cell<Option<Instant>>,
    /// When this instance last looked at the schedules.
    pub(crate) schedules_checked_at: Cell<Option<Instant>>,
    /// Tokens for the sink of events; `None` if it needs none.
    pub(crate) sink_tokens: Option<TokenSource>,
    /// Whether this instance has put an event since it last checked the queue of events.
    pub(crate) is_event_put: Cell<bool>,
    /// When this instance last checked the queue of events.
    pub(crate) events_checked_at: Cell<Option<Instant>>,
    /// Whether that check received all visible events.
    pub(crate) events_drained: Cell<bool>,
    /// The state of the sweep is not read before this.
    pub(crate) sweep_check_at: Cell<Instant>,
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
        let (promoted_at, sweep_check_at) = (Cell::new(None), Cell::new(started_at));
        let sweep_policy = settings.handlers.longest(&policy);
        let handlers_exist = Cell::new(false);
        let sink_tokens = match settings.sink.as_ref().map(|sink| &sink.auth) {
            Some(SinkAuth::Identity(identity)) => {
                Some(TokenSource::new(identity.clone(), EVENT_GRID_RESOURCE))
            }
            _ => None,
        };
        Self {
            env,
            store,
            queue,
            settings,
            policy,
            sweep_policy,
            handlers_exist,
            pause: PauseState::default(),
            started_at,
            promoted_at,
            schedules_checked_at: Cell::new(None),
            sink_tokens,
            is_event_put: Cell::new(false),
            events_checked_at: Cell::new(None),
            events_drained: Cell::new(false),
            sweep_check_at,
        }
    }

    /// Returns the policy of the tasks called `name`.
    pub(crate) fn policy_of(&self, name: &str) -> Policy {
        self.settings.handlers.policy(name, &self.policy)
    }

    /// Logs a storage request that failed: as a warning if storage may recover by itself, else as an error.
    pub(crate) fn log_failure(&self, message: &'static str, error: &StorageError) {
        let is_temporary = matches!(error, StorageError::Unavailable { .. });
        let line = if is_temporary { Line::warn(message) } else { Line::error(message) };
        self.env.log(&line.with("cause", error.to_string()));
    }

    /// Hides a message for `wait` and replaces its text if one is given. If that fails, the message stays hidden until its lease
    /// expires.
    pub(crate) async fn hide(&self, message: &ReceivedMessage, wait: Duration, text: Option<&str>) {
        if let Err(error) = self.queue.update(message, wait, text).await {
            self.log_failure("a message could not be given back early", &error);
        }
    }

    /// Deletes a message that is not needed any more. If that fails, the message becomes visible again, and
    /// its next delivery deletes it.
    pub(crate) async fn discard(&self, message: &ReceivedMessage) {
        if let Err(error) = self.queue.delete(message).await {
            self.log_failure("a message could not be deleted", &error);
        }
    }
}

/// Returns how long not to call storage after this error, at most [`MAX_REST`]; `None` if the error concerns one
/// request only.
pub(crate) fn rest_after(error: &StorageError) -> Option<Duration> {
    let rest = match error {
        StorageError::Unavailable { retry_after, .. } => retry_after.unwrap_or(DEFAULT_REST),
        // An operator has to act. Until then, each further delivery would only raise a dequeue count.
        StorageError::Misconfigured(_) | StorageError::NoContainer(_) => OPERATOR_REST,
        StorageError::Refused(_)
        | StorageError::Blocked(_)
        | StorageError::Unreadable { .. }
        | StorageError::UnreadableSchedules(_) => return None,
    };
    Some(rest.min(MAX_REST))
}
