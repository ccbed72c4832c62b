//! Reconciliation by an idle worker, in bounded steps; `lifecycle::sweep` decides.
//!
//! Where the sweep stands is kept in the attachment `sweep-state`: instances live for seconds, and one of
//! several workers is to take a step, not all. The step is claimed by a conditional write.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use lifecycle::sweep::{Review, Sweep, review};
use models::{TaskId, TaskMessage, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::engine::Engine;
use crate::env::Env;
use crate::log::Line;
use crate::storage::{ETag, QueueName, Read, StatusStore, StorageError, TaskQueue, Write};

const STATE: &str = "sweep-state";
/// Documents of one page, pages of one step, and documents looked at together.
const PAGE: u32 = 200;
const PAGES: u32 = 5;
const TOGETHER: usize = 16;
/// How long an instance that found no step to take does not look again.
const LOOK_PAUSE: Duration = Duration::from_secs(10);

/// [`Sweep`] as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    next_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
    pass_at: Timestamp,
    done_at: Timestamp,
    since: Timestamp,
    full: bool,
    full_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    look_again_at: Option<Timestamp>,
}

impl State {
    fn of(sweep: &Sweep) -> Bytes {
        let Sweep { next_at, marker, pass_at, done_at, since, full, full_at, look_again_at } = sweep.clone();
        let state = Self { next_at, marker, pass_at, done_at, since, full, full_at, look_again_at };
        serde_json::to_vec(&state).unwrap_or_default().into()
    }

    /// Anything unreadable starts from the beginning.
    fn read(bytes: &[u8]) -> Sweep {
        serde_json::from_slice(bytes).map_or_else(
            |_| Sweep::unstarted(),
            |Self { next_at, marker, pass_at, done_at, since, full, full_at, look_again_at }| Sweep {
                next_at,
                marker,
                pass_at,
                done_at,
                since,
                full,
                full_at,
                look_again_at,
            },
        )
    }
}

/// What became of one document.
enum Swept {
    Nothing,
    LookAgain(Timestamp),
    Requeued,
    Purged,
}

impl<E: Env, S: StatusStore, Q: TaskQueue> Engine<E, S, Q> {
    /// Takes a step of the sweep if one is due and no other worker takes it.
    pub(super) async fn sweep(&self, counts: &mut Counts) {
        if self.env.timestamp() < self.sweep_look_at.get() {
            return;
        }
        match self.sweep_step(counts).await {
            Ok(look_at) => self.sweep_look_at.set(look_at),
            Err(error) => {
                self.sweep_look_at.set(self.env.timestamp().plus(LOOK_PAUSE));
                if let Some(rest) = self.note("a step of the sweep failed", &error) {
                    counts.slow_down(rest);
                }
            }
        }
    }

    /// Answers when the next step is worth a look.
    async fn sweep_step(&self, counts: &mut Counts) -> Result<Timestamp, StorageError> {
        let started = self.env.timestamp();
        let (sweep, etag) = match self.store.read_attachment(STATE, 0..64 * 1024, None).await? {
            Some(part) => (State::read(&part.bytes), Some(part.etag)),
            None => (Sweep::unstarted(), None),
        };
        let Some(claimed) = sweep.claim(&self.policy, started) else {
            return Ok(sweep.next_at.min(started.plus(LOOK_PAUSE)));
        };
        let Some(etag) = self.save(&claimed, etag.as_deref()).await? else {
            return Ok(started.plus(LOOK_PAUSE));
        };
        let mut marker = claimed.marker.clone();
        let mut look_again_at: Option<Timestamp> = None;
        for _ in 0..PAGES {
            let page = match self.store.list(marker.as_deref(), PAGE).await {
                Ok(page) => page,
                // A marker that storage does not know any more: this pass counts as never made.
                Err(StorageError::Refused(_)) if marker.is_some() => {
                    self.save(&Sweep { marker: None, ..claimed }, Some(&etag)).await?;
                    return Ok(started.plus(LOOK_PAUSE));
                }
                Err(error) => return Err(error),
            };
            let now = self.env.timestamp();
            let wanted =
                page.tasks.into_iter().filter(|(_, written)| claimed.wants(*written, &self.policy, now));
            let mut swept = stream::iter(wanted)
                .map(|(id, written)| self.sweep_document(id, written))
                .buffer_unordered(TOGETHER);
            while let Some(swept) = swept.next().await {
                match swept? {
                    Swept::Nothing => {}
                    Swept::LookAgain(moment) => {
                        look_again_at = Some(look_again_at.map_or(moment, |earlier| earlier.min(moment)));
                    }
                    Swept::Requeued => counts.requeued += 1,
                    Swept::Purged => counts.purged += 1,
                }
            }
            marker = page.next;
            let now = self.env.timestamp();
            if marker.is_none()
                || now.since(started) >= self.settings.drain_budget.min(self.policy.visibility / 2)
            {
                break;
            }
        }
        let next = claimed.advance(marker, look_again_at, self.settings.sweep_interval, self.env.timestamp());
        self.save(&next, Some(&etag)).await?;
        Ok(next.next_at.min(self.env.timestamp().plus(LOOK_PAUSE)))
    }

    /// The state's new version; `None` when another worker was faster.
    async fn save(&self, sweep: &Sweep, etag: Option<&str>) -> Result<Option<ETag>, StorageError> {
        match self.store.swap_attachment(STATE, "application/json", State::of(sweep), etag).await? {
            Write::Done(etag) => Ok(Some(etag)),
            Write::Conflict => Ok(None),
        }
    }

    async fn sweep_document(&self, id: TaskId, written: Timestamp) -> Result<Swept, StorageError> {
        let stored = match self.store.read(id, None).await {
            Ok(Read::Found(stored)) => stored,
            // An unreadable document cannot be judged; its message, if there is one, goes to the poison queue.
            Ok(Read::Missing | Read::Unchanged) | Err(StorageError::Unreadable { .. }) => {
                return Ok(Swept::Nothing);
            }
            Err(error) => return Err(error),
        };
        match review(&stored.document, written, &self.policy, self.env.timestamp()) {
            Review::Leave => Ok(Swept::Nothing),
            Review::LookAgain(moment) => Ok(Swept::LookAgain(moment)),
            Review::Requeue(document, delay) => self.requeue(&document, &stored.etag, delay).await,
            Review::Purge(attachments) => self.purge(&stored.document, &stored.etag, &attachments).await,
        }
    }

    async fn requeue(
        &self,
        document: &TaskStatus,
        etag: &str,
        delay: Duration,
    ) -> Result<Swept, StorageError> {
        // The write comes first, so that one sweeper sends the message. If it dies in between, the document
        // falls silent again.
        let Write::Done(etag) = self.store.replace(document, etag).await? else { return Ok(Swept::Nothing) };
        let queue = if delay.is_zero() { QueueName::Tasks } else { QueueName::Scheduled };
        self.queue.send(queue, &TaskMessage::text_for(document, Some(&etag)), delay).await?;
        self.env.log(
            &Line::warn("a task without a message was queued again")
                .with("task_id", document.task_id.to_string())
                .with("state", document.state.name()),
        );
        Ok(Swept::Requeued)
    }

    async fn purge(
        &self,
        document: &TaskStatus,
        etag: &str,
        attachments: &[String],
    ) -> Result<Swept, StorageError> {
        for name in attachments {
            self.store.delete_attachment(name).await?;
        }
        match self.store.delete(document.task_id, etag).await? {
            Write::Done(_) => {
                self.env.log(&Line::info("task purged").with("task_id", document.task_id.to_string()));
                Ok(Swept::Purged)
            }
            Write::Conflict => Ok(Swept::Nothing),
        }
    }
}
