//! Reconciliation: which documents lost their message and need another, and which may be purged.
//!
//! A worker walks over all documents in small steps, only while the task queue is empty, so that a
//! document without a sign of life is not merely waiting in a long queue. One walk over everything is a
//! pass. A pass lists every document and reads few: each is stored with a [`Mark`] that the listing tells, so
//! that a pass knows when a document has to be looked at, and reads those whose moment has come. Documents
//! without one, of the .NET side and of earlier releases, are read when they changed since the pass before,
//! when their retention may end, and once a day, in a full pass.

use std::fmt;
use std::time::Duration;

use models::{TaskState, TaskStatus, Timestamp};

use crate::{Policy, retention, schedule, transition};

/// Clocks of workers and storage may differ by so much.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// A full pass at least so often.
const FULL_AT_LEAST: Duration = Duration::from_secs(24 * 3600);

/// What a listing tells of a document: as much as the sweep needs in order to leave it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Its message waits, until this moment when there is one.
    Waits(Option<Timestamp>),
    /// An attempt runs.
    Runs,
    /// It is terminal, and may be purged at this moment.
    Ended(Option<Timestamp>),
}

impl Mark {
    /// The mark to store with `document`.
    #[must_use]
    pub fn of(document: &TaskStatus) -> Self {
        match document.state {
            TaskState::Pending => Self::Waits(document.not_before.max(document.retry_at)),
            TaskState::InProgress => Self::Runs,
            TaskState::Completed | TaskState::Failed | TaskState::Cancelled => {
                Self::Ended(document.expires_at)
            }
        }
    }

    /// Reads what [`fmt::Display`] writes; `None` for anything else, which counts as no mark.
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
            _ => None,
        }
    }

    /// When a document with this mark that does not change has to be looked at; `None` is never.
    fn due(self, last_written: Timestamp, policy: &Policy) -> Option<Timestamp> {
        match self {
            Self::Waits(until) => {
                let alive_at = last_written.max(until.unwrap_or(last_written));
                Some(alive_at.plus(silence(TaskState::Pending, policy)))
            }
            Self::Runs => Some(last_written.plus(silence(TaskState::InProgress, policy))),
            Self::Ended(expires) => expires,
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, moment) = match self {
            Self::Waits(moment) => ("waits", *moment),
            Self::Runs => ("runs", None),
            Self::Ended(moment) => ("ended", *moment),
        };
        match moment {
            Some(moment) => write!(f, "{word} {}", moment.unix_millis()),
            None => f.write_str(word),
        }
    }
}

/// What to do about one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Review {
    /// Nothing, or nothing yet.
    Leave,
    /// It shows no sign of life: write this document (If-Match, so that one sweeper wins), then send its
    /// message with this delay. When the process dies in between, a later pass finds it again.
    Requeue(Box<TaskStatus>, Duration),
    /// It may go: delete these attachments, then the document.
    Purge(Vec<String>),
}

/// Decides about one document, last written at `last_written` by storage's clock.
#[must_use]
pub fn review(document: &TaskStatus, last_written: Timestamp, policy: &Policy, now: Timestamp) -> Review {
    if document.state.is_terminal() {
        let expired = retention::is_expired(document, now);
        return if expired { Review::Purge(retention::attachments(document)) } else { Review::Leave };
    }
    // The state of a document of the .NET side is random, and its message is that side's to keep.
    if !document.is_ours() {
        return Review::Leave;
    }
    // Read later than it was listed, or written by a clock that is ahead.
    let alive_at = document.updated_at.unwrap_or(last_written).max(last_written);
    let waits_until =
        document.not_before.max(document.retry_at).filter(|_| document.state == TaskState::Pending);
    let alive_at = alive_at.max(waits_until.unwrap_or(alive_at));
    if alive_at.plus(silence(document.state, policy)) > now {
        return Review::Leave;
    }
    let mut next = document.clone();
    transition::touch(&mut next, now);
    Review::Requeue(Box::new(next), schedule::delay(document, now))
}

/// How long a document with a live message can go without a write: while its message is hidden by a
/// lease or a back-off, or while an attempt runs that reports no progress.
fn silence(state: TaskState, policy: &Policy) -> Duration {
    let hidden = policy.visibility.max(policy.retry_cap);
    let working = if state == TaskState::InProgress { policy.task_timeout } else { Duration::ZERO };
    hidden + working + CLOCK_SKEW
}

/// Where the sweep stands. Kept in storage and handed from worker to worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Nobody takes the next step before this moment.
    pub next_at: Timestamp,
    /// Where the pass under way continues; `None` between two passes.
    pub marker: Option<String>,
    /// When the current pass, or the one before it, started.
    pub pass_at: Timestamp,
    /// When the latest pass that got to its end started. One whose worker died judged nothing for good.
    pub done_at: Timestamp,
    /// What was due before this moment was judged by earlier passes.
    pub since: Timestamp,
    /// Whether the pass reads every document without a mark, and everything that is overdue.
    pub full: bool,
    /// When the last full pass that got to its end started.
    pub full_at: Timestamp,
    /// Steps that were begun where this one begins and did not get further.
    pub tries: u32,
}

/// A step that is tried for the last time passes over what storage does not give.
const MOST_TRIES: u32 = 3;

impl Sweep {
    /// Before the first pass ever: it is a full one, and due at once.
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
        }
    }

    /// The state to write (If-Match) before a step is taken at `now`: claims the step for one lease, so
    /// that others keep away and one that dies is replaced. `None` while no step is due.
    #[must_use]
    pub fn claim(&self, policy: &Policy, interval: Duration, now: Timestamp) -> Option<Self> {
        // A moment further away than any that is ever written was written by a clock that was ahead.
        let longest = interval.max(policy.visibility) + CLOCK_SKEW;
        let wait = self.next_at.since(now);
        if !wait.is_zero() && wait <= longest {
            return None;
        }
        let mut next = self.clone();
        next.next_at = now.plus(policy.visibility);
        next.tries = self.tries.saturating_add(1);
        if self.marker.is_none() {
            let died = self.pass_at != self.done_at;
            next.full = died && self.full || now >= self.full_at.min(now).plus(FULL_AT_LEAST);
            next.since = self.done_at.min(now);
            next.pass_at = now;
        }
        Some(next)
    }

    /// Whether a claimed step passes over a document that storage does not give, instead of ending there: it
    /// ended there before, and everything behind that document waits.
    #[must_use]
    pub fn passes_over(&self) -> bool {
        self.tries >= MOST_TRIES
    }

    /// The state to write after a claimed step that got to `marker` (`None`: the end).
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

    /// Whether the pass reads a document last written at `last_written` and listed with `mark`.
    #[must_use]
    pub fn wants(
        &self,
        last_written: Timestamp,
        mark: Option<Mark>,
        policy: &Policy,
        now: Timestamp,
    ) -> bool {
        if let Some(mark) = mark {
            // What came due before the latest pass was dealt with by it, but for the difference of clocks; where
            // storage refused, once a day is enough.
            let seen =
                if self.full { Timestamp::from_unix_millis(i64::MIN) } else { self.since.minus(CLOCK_SKEW) };
            return mark.due(last_written, policy).is_some_and(|due| seen <= due && due <= now);
        }
        // Too young to be judged, whatever it says; the next pass will see it as changed.
        if now.since(last_written) < silence(TaskState::Pending, policy) {
            return false;
        }
        let expires = retention::expires_at(last_written, policy.retention);
        // Its own moment may be later by as much as clocks differ; then the pass before could not judge it yet.
        let margin = silence(TaskState::InProgress, policy) + CLOCK_SKEW;
        self.full || last_written >= self.since.minus(margin) || (self.since <= expires && expires <= now)
    }
}
