//! Reconciliation: which documents lost their message and need another, and which may be purged.
//!
//! A worker walks over all documents in small steps, only while the task queue is empty, so that a
//! document without a sign of life is not merely waiting in a long queue. One walk over everything is a
//! pass. Most documents are terminal and do not change, and a read costs money, so that most passes read
//! only what changed since the pass before; a full pass reads everything once a day, or sooner when a
//! document was seen that could not be judged yet.

use std::time::Duration;

use models::{TaskState, TaskStatus, Timestamp};

use crate::{Policy, retention, schedule, transition};

/// Clocks of workers and storage may differ by so much.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// A full pass at least so often.
const FULL_AT_LEAST: Duration = Duration::from_secs(24 * 3600);
/// A full pass at most so often, whatever was seen.
const FULL_AT_MOST: Duration = Duration::from_secs(3600);

/// What to do about one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Review {
    /// Nothing.
    Leave,
    /// Nothing now; it waits for its time. It can be judged at this moment, if it has not changed until
    /// then, which needs a full pass.
    LookAgain(Timestamp),
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
    let alive_at = document.updated_at.unwrap_or(last_written).max(last_written);
    let alive_at = alive_at.max(document.not_before.unwrap_or(alive_at));
    let judged_at = alive_at.plus(silence(document.state, policy));
    if judged_at > now {
        // Every pass reads again what was written within this time before the pass before it.
        let read_again = last_written.plus(silence(TaskState::InProgress, policy));
        return if judged_at > read_again { Review::LookAgain(judged_at) } else { Review::Leave };
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
    /// Documents last written before this moment were judged by earlier passes.
    pub since: Timestamp,
    /// Whether the pass reads every document.
    pub full: bool,
    /// When the last full pass that got to its end started.
    pub full_at: Timestamp,
    /// The earliest moment at which a document can be judged that this or an earlier pass could not judge.
    pub look_again_at: Option<Timestamp>,
}

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
            look_again_at: None,
        }
    }

    /// The state to write (If-Match) before a step is taken at `now`: claims the step for one lease, so
    /// that others keep away and one that dies is replaced. `None` while no step is due.
    #[must_use]
    pub fn claim(&self, policy: &Policy, now: Timestamp) -> Option<Self> {
        if now < self.next_at {
            return None;
        }
        let mut next = self.clone();
        next.next_at = now.plus(policy.visibility);
        if self.marker.is_none() {
            let at_least = self.full_at.plus(FULL_AT_LEAST);
            let wanted = self.look_again_at.map_or(at_least, |moment| moment.min(at_least));
            let died = self.pass_at != self.done_at;
            next.full = died && self.full || now >= wanted.max(self.full_at.plus(FULL_AT_MOST));
            next.since = self.done_at;
            next.pass_at = now;
            if next.full {
                next.look_again_at = None;
            }
        }
        Some(next)
    }

    /// The state to write after a claimed step that got to `marker` (`None`: the end) and met a document
    /// that can be judged at `look_again_at`.
    #[must_use]
    pub fn advance(
        &self,
        marker: Option<String>,
        look_again_at: Option<Timestamp>,
        interval: Duration,
        now: Timestamp,
    ) -> Self {
        let mut next = self.clone();
        next.next_at = if marker.is_some() { now } else { self.pass_at.plus(interval).max(now) };
        if marker.is_none() {
            next.done_at = self.pass_at;
            next.full_at = if self.full { self.pass_at } else { self.full_at };
        }
        next.marker = marker;
        next.look_again_at = self.look_again_at.into_iter().chain(look_again_at).min();
        next
    }

    /// Whether the pass reads a document last written at `last_written`.
    #[must_use]
    pub fn wants(&self, last_written: Timestamp, policy: &Policy, now: Timestamp) -> bool {
        // Too young to be judged, whatever it says; the next pass will see it as changed.
        if now.since(last_written) < silence(TaskState::Pending, policy) {
            return false;
        }
        let expires = retention::expires_at(last_written, policy.retention);
        let margin = silence(TaskState::InProgress, policy);
        self.full || last_written >= self.since.minus(margin) || (self.since <= expires && expires <= now)
    }
}
