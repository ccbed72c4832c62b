//! The sweep: which tasks need a new message, and which documents may be purged.
//!
//! Workers list all documents in small steps, one complete listing being a pass. They do so only while the task
//! queue is empty; otherwise a task without a write may just wait in a long queue. A pass lists every document and
//! reads few: each document is stored with a [`Mark`] that the listing returns, and the pass reads those that are
//! due. A task that has ended and whose event is due gets a new message of that event. Documents without a mark,
//! which the .NET side and earlier releases wrote, are read if they changed since the previous pass, if their
//! retention may end, and once a day in a full pass.

use std::fmt;
use std::time::Duration;

use models::{TaskState, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};

use crate::redelivery::MAX_PAUSE as MAX_ERROR_PAUSE;
use crate::{Policy, delayed, events, retention, transition};

/// The assumed maximum difference between the clocks of workers and storage.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);
/// By how much the time of a last write may be too early: storage tells it in whole seconds (RFC 9110 §8.8.2).
const LAST_WRITTEN_RESOLUTION: Duration = Duration::from_secs(1);
/// By how much a document's own timestamp may be later than the time of its last write.
const MAX_TIMESTAMP_LEAD: Duration = MAX_CLOCK_SKEW.saturating_add(LAST_WRITTEN_RESOLUTION);
/// The time between two full passes.
const FULL_PASS_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// What a listing returns for a document, so that the sweep need not read it before it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The task waits, until this time if there is one.
    Waits(Option<Timestamp>),
    /// An attempt runs.
    Runs,
    /// The task is terminal and may be purged at this time; `None` means never.
    Ended(Option<Timestamp>),
    /// The task is terminal and its event is due, not before this time if there is one.
    OwesEvent(Option<Timestamp>),
}

impl Mark {
    /// Returns the mark to store with `document`.
    #[must_use]
    pub fn of(document: &TaskStatus) -> Self {
        match document.state {
            TaskState::Pending => Self::Waits(document.not_before.max(document.retry_at)),
            TaskState::InProgress => Self::Runs,
            _ if document.is_event_due() => Self::OwesEvent(next_call(document)),
            TaskState::Completed | TaskState::Failed | TaskState::Cancelled => {
                Self::Ended(document.expires_at)
            }
        }
    }

    /// Parses what [`fmt::Display`] writes; `None` for anything else, which counts as no mark.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (word, moment) = match text.split_once(' ') {
            Some((word, millis)) => (word, Some(Timestamp::from_unix_millis(millis.parse().ok()?))),
            None => (text, None),
        };
        match (word, moment) {
            ("waits", moment) => Some(Self::Waits(moment)),
            ("runs", None) => Some(Self::Runs),
            ("ended", moment) => Some(Self::Ended(moment)),
            ("event", moment) => Some(Self::OwesEvent(moment)),
            _ => None,
        }
    }

    /// Returns when a document with this mark is due if it is not written again; `None` means never.
    fn due(self, last_written: Timestamp, policy: &Policy) -> Option<Timestamp> {
        match self {
            Self::Waits(until) => {
                let alive_at = last_written.max(until.unwrap_or(last_written));
                Some(alive_at.plus(silence(TaskState::Pending, policy)))
            }
            Self::Runs => Some(last_written.plus(silence(TaskState::InProgress, policy))),
            Self::Ended(expires) => expires,
            Self::OwesEvent(next) => {
                Some(last_written.max(next.unwrap_or(last_written)).plus(event_silence(policy)))
            }
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, moment) = match self {
            Self::Waits(moment) => ("waits", *moment),
            Self::Runs => ("runs", None),
            Self::Ended(moment) => ("ended", *moment),
            Self::OwesEvent(moment) => ("event", *moment),
        };
        match moment {
            Some(moment) => write!(f, "{word} {}", moment.unix_millis()),
            None => f.write_str(word),
        }
    }
}

/// What to do with one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Review {
    /// Nothing.
    Leave,
    /// Its message is missing: write this document (If-Match, so that one worker succeeds), then send its message with
    /// this delay. If the process crashes in between, a later pass finds the document again.
    Requeue(Box<TaskStatus>, Duration),
    /// The message of its event is missing: write this document (If-Match, so that one worker succeeds), then put the
    /// message.
    PutEvent(Box<TaskStatus>),
    /// Its retention is over: delete these attachments, then the document.
    Purge(Vec<String>),
}

/// Decides on one document. `last_written` is the time of its last write by storage's clock.
#[must_use]
pub fn review(document: &TaskStatus, last_written: Timestamp, policy: &Policy, now: Timestamp) -> Review {
    if document.is_event_due() && !is_event_forgotten(document, now) {
        let alive_at = last_written.max(next_call(document).unwrap_or(last_written));
        let is_silent = alive_at.plus(event_silence(policy)) <= now;
        return if is_silent { Review::PutEvent(Box::new(document.clone())) } else { Review::Leave };
    }
    if document.state.is_terminal() {
        let expired = retention::is_expired(document, now);
        return if expired { Review::Purge(retention::attachments(document)) } else { Review::Leave };
    }
    // A document of the .NET side has a random state, and the .NET side is responsible for its message.
    if !document.is_ours() {
        return Review::Leave;
    }
    // It may have been written since it was listed, or by a clock that is ahead.
    let alive_at = document.updated_at.unwrap_or(last_written).max(last_written);
    let waits_until =
        document.not_before.max(document.retry_at).filter(|_| document.state == TaskState::Pending);
    let alive_at = alive_at.max(waits_until.unwrap_or(alive_at));
    if alive_at.plus(silence(document.state, policy)) > now {
        return Review::Leave;
    }
    let mut next = document.clone();
    transition::touch(&mut next, now);
    Review::Requeue(Box::new(next), delayed::delay(document, now))
}

/// Returns how long a document whose message exists can stay without a write: while a lease or a back-off hides the
/// message, or while an attempt runs that reports no progress.
fn silence(state: TaskState, policy: &Policy) -> Duration {
    let hidden = policy.visibility.max(policy.retry_cap);
    let working = if state == TaskState::InProgress { policy.task_timeout } else { Duration::ZERO };
    hidden + working + MAX_CLOCK_SKEW
}

/// When the receiver or the sink of a due event is called next; `None` if one of them was not called yet.
fn next_call(document: &TaskStatus) -> Option<Timestamp> {
    document.due_deliveries().map(|record| record.next_attempt_at).min().flatten()
}

/// Returns how long the document of a due event can stay without a write while the message of the event exists and may
/// be received: while a lease hides it, or the pause after an error.
fn event_silence(policy: &Policy) -> Duration {
    events::lease(policy.visibility).max(MAX_ERROR_PAUSE) + MAX_CLOCK_SKEW
}

/// Returns whether an event is so old that its task is purged with it. Workers give an event up earlier; this bounds what
/// is kept if none of them delivers events any more.
fn is_event_forgotten(document: &TaskStatus, now: Timestamp) -> bool {
    document.expires_at.is_some_and(|expires| expires.plus(events::MAX_AGE) <= now)
}

/// The state of the sweep. It is stored as JSON and shared by all workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sweep {
    /// The next step is due at this time.
    pub next_at: Timestamp,
    /// Where the current pass continues in the listing; `None` between two passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// When the current pass, or the previous one, started.
    pub pass_at: Timestamp,
    /// When the latest complete pass started. A pass whose worker crashed does not count.
    pub done_at: Timestamp,
    /// Earlier passes have processed everything that was due before this time.
    pub since: Timestamp,
    /// Whether this is a full pass, which reads all documents without a mark and everything that is overdue.
    pub full: bool,
    /// When the latest complete full pass started.
    pub full_at: Timestamp,
    /// Number of steps that started at this marker and did not get further.
    #[serde(default)]
    pub tries: u32,
    /// A random number of each write, by which a writer recognises its own after a lost response.
    #[serde(default)]
    pub writer: u64,
}

/// The try of a step that skips what storage refuses to return.
const MAX_STEP_TRIES: u32 = 3;

impl Sweep {
    /// Returns the state before the first pass, which is a full one and due at once.
    #[must_use]
    pub fn unstarted() -> Self {
        let never = Timestamp::from_unix_millis(i64::MIN);
        Self {
            next_at: never,
            marker: None,
            pass_at: never,
            done_at: never,
            since: never,
            full: true,
            full_at: never,
            tries: 0,
            writer: 0,
        }
    }

    /// Returns the state to write (If-Match) before a step at `now`; `None` if no step is due. The write claims the
    /// step for the length of a lease, so that one worker performs it and another one replaces it after a crash.
    #[must_use]
    pub fn claim(&self, policy: &Policy, interval: Duration, now: Timestamp) -> Option<Self> {
        // A time further ahead than any that is written was written by a clock that was ahead.
        let longest = interval.max(policy.visibility) + MAX_CLOCK_SKEW;
        let wait = self.next_at.since(now);
        if !wait.is_zero() && wait <= longest {
            return None;
        }
        let mut next = self.clone();
        next.next_at = now.plus(policy.visibility);
        next.tries = self.tries.saturating_add(1);
        if self.marker.is_none() {
            let died = self.pass_at != self.done_at;
            let is_ahead = self.full_at.since(now) > MAX_CLOCK_SKEW;
            next.full = died && self.full || is_ahead || now >= self.full_at.plus(FULL_PASS_INTERVAL);
            next.since = self.done_at.min(now);
            next.pass_at = now;
        }
        Some(next)
    }

    /// Returns whether a claimed step skips a document that storage refuses to return. Earlier tries ended there, and
    /// all documents behind it wait.
    #[must_use]
    pub fn passes_over(&self) -> bool {
        self.tries >= MAX_STEP_TRIES
    }

    /// Returns the state to write after a claimed step that ended at `marker`; `None` means the end of the listing.
    #[must_use]
    pub fn advance(&self, marker: Option<String>, interval: Duration, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.next_at = if marker.is_some() { now } else { self.pass_at.plus(interval).max(now) };
        next.tries = 0;
        if marker.is_none() {
            next.done_at = self.pass_at;
            next.full_at = if self.full { self.pass_at } else { self.full_at };
        }
        next.marker = marker;
        next
    }

    /// Returns whether the pass reads a document that was last written at `last_written` and listed with `mark`.
    #[must_use]
    pub fn wants(
        &self,
        last_written: Timestamp,
        mark: Option<Mark>,
        policy: &Policy,
        now: Timestamp,
    ) -> bool {
        if let Some(mark) = mark {
            // Earlier passes have processed what was due before. They left a document whose own timestamp is later,
            // however. What storage refused is tried again once a day.
            let seen = if self.full {
                Timestamp::from_unix_millis(i64::MIN)
            } else {
                self.since.minus(MAX_TIMESTAMP_LEAD)
            };
            return mark.due(last_written, policy).is_some_and(|due| seen <= due && due <= now);
        }
        // It cannot be due yet, whatever its content; the next pass sees it as changed.
        if now.since(last_written) < silence(TaskState::Pending, policy) {
            return false;
        }
        let expires = retention::expires_at(last_written, policy.retention);
        // Its own timestamp may be later; then it was not due in the previous pass.
        let margin = silence(TaskState::InProgress, policy) + MAX_TIMESTAMP_LEAD;
        self.full || last_written >= self.since.minus(margin) || (self.since <= expires && expires <= now)
    }
}
