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
use service::log::Line;
use storage::{ETag, Page, QueueName, Read, StorageError, Write};

use crate::counts::Counts;
use crate::engine::Engine;

const STATE: &str = "sweep-state";
/// Documents of one page: as many as storage lists in one answer.
const PAGE: u32 = 5000;
/// A step ends with the page after so long: a message that arrives meanwhile waits for it.
const STEP: Duration = Duration::from_secs(2);
/// Documents looked at together.
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
    #[serde(default)]
    tries: u32,
    /// Made up by whoever wrote it: how a writer whose reply was lost knows its own.
    #[serde(default)]
    writer: u64,
}

impl State {
    fn of(sweep: &Sweep, writer: u64) -> Bytes {
        let Sweep { next_at, marker, pass_at, done_at, since, full, full_at, tries } = sweep.clone();
        let state = Self { next_at, marker, pass_at, done_at, since, full, full_at, tries, writer };
        serde_json::to_vec(&state).unwrap_or_default().into()
    }

    /// Anything unreadable starts from the beginning.
    fn read(bytes: &[u8]) -> (Sweep, Option<u64>) {
        let Ok(state) = serde_json::from_slice(bytes) else { return (Sweep::unstarted(), None) };
        let Self { next_at, marker, pass_at, done_at, since, full, full_at, tries, writer } = state;
        (Sweep { next_at, marker, pass_at, done_at, since, full, full_at, tries }, Some(writer))
    }
}

/// What became of one document.
enum Swept {
    Nothing,
    Requeued,
    Purged,
}

/// What a step came to.
struct Step {
    /// How long until the next one is worth a look.
    pause: Duration,
    /// Whether the pass goes on at once.
    goes_on: bool,
}

impl Step {
    const NONE: Self = Self { pause: LOOK_PAUSE, goes_on: false };
}

/// Takes a step of the sweep if one is due and no other worker takes it.
pub(crate) async fn sweep(engine: &Engine, counts: &mut Counts) {
    if engine.env.instant() < engine.sweep_look_at.get() {
        return;
    }
    let step = match step(engine, counts).await {
        Ok(step) => step,
        Err(error) => {
            if let Some(rest) = engine.note("a step of the sweep failed", &error) {
                counts.slow_down(rest);
            }
            Step::NONE
        }
    };
    // A pass under way goes on with the next drain; whoever asks for drains need not wait.
    counts.more |= step.goes_on;
    engine.sweep_look_at.set(engine.env.instant().plus(step.pause.min(LOOK_PAUSE)));
}

async fn step(engine: &Engine, counts: &mut Counts) -> Result<Step, StorageError> {
    let interval = engine.settings.sweep_interval;
    let started = engine.env.instant();
    let (sweep, etag) = state(engine).await?;
    let now = engine.env.timestamp();
    let Some(claimed) = sweep.claim(&engine.policy, interval, now) else {
        return Ok(Step { pause: sweep.next_at.since(now), goes_on: false });
    };
    let Some(etag) = save(engine, &claimed, etag.as_deref()).await? else { return Ok(Step::NONE) };
    let mut marker = claimed.marker.clone();
    loop {
        let page = match engine.store.list(marker.as_deref(), PAGE).await {
            Ok(page) => page,
            // A marker that storage does not know any more: this pass counts as never made.
            Err(StorageError::Refused(_)) if marker.is_some() => {
                save(engine, &Sweep { marker: None, ..claimed }, Some(&etag)).await?;
                return Ok(Step::NONE);
            }
            Err(error) => return Err(error),
        };
        let next = page.next.clone();
        sweep_page(engine, &claimed, page, counts).await?;
        marker = next;
        let spent = engine.env.instant().since(started);
        if marker.is_none() || spent >= STEP.min(engine.policy.visibility / 2) {
            break;
        }
    }
    let now = engine.env.timestamp();
    let goes_on = marker.is_some();
    let next = claimed.advance(marker, interval, now);
    let is_saved = save(engine, &next, Some(&etag)).await?.is_some();
    Ok(Step { pause: next.next_at.since(now), goes_on: goes_on && is_saved })
}

/// Deals with the documents of a page. One that storage does not give or change for a reason of its own
/// is passed over, so that it does not keep everything behind it from being swept.
async fn sweep_page(
    engine: &Engine,
    sweep: &Sweep,
    page: Page,
    counts: &mut Counts,
) -> Result<(), StorageError> {
    let now = engine.env.timestamp();
    let wanted =
        page.tasks.into_iter().filter(|task| sweep.wants(task.written, task.mark, &engine.policy, now));
    let mut swept = stream::iter(wanted)
        .map(|task| async move { (task.id, sweep_document(engine, task.id, task.written).await) })
        .buffer_unordered(TOGETHER);
    while let Some((id, swept)) = swept.next().await {
        match swept {
            Ok(Swept::Nothing) => {}
            Ok(Swept::Requeued) => counts.requeued += 1,
            Ok(Swept::Purged) => counts.purged += 1,
            Err(error) if error.concerns_one() || sweep.passes_over() => engine.env.log(
                &Line::error("the sweep passed over a document")
                    .with("task_id", id.to_string())
                    .with("cause", error.to_string()),
            ),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn state(engine: &Engine) -> Result<(Sweep, Option<ETag>), StorageError> {
    Ok(match engine.store.read_attachment(STATE, 0..64 * 1024, None).await? {
        Some(part) => (State::read(&part.bytes).0, Some(part.etag)),
        None => (Sweep::unstarted(), None),
    })
}

/// The state's new version; `None` when another worker was faster.
async fn save(engine: &Engine, sweep: &Sweep, etag: Option<&str>) -> Result<Option<ETag>, StorageError> {
    let writer = engine.env.next_u64();
    let bytes = State::of(sweep, writer);
    if let Write::Done(etag) = engine.store.swap_attachment(STATE, "application/json", bytes, etag).await? {
        return Ok(Some(etag));
    }
    // Or this worker was, and the reply was lost.
    let found = engine.store.read_attachment(STATE, 0..64 * 1024, None).await?;
    let own = found.filter(|part| State::read(&part.bytes).1 == Some(writer));
    Ok(own.map(|part| part.etag))
}

async fn sweep_document(engine: &Engine, id: TaskId, written: Timestamp) -> Result<Swept, StorageError> {
    let stored = match engine.store.read(id, None).await {
        Ok(Read::Found(stored)) => stored,
        // An unreadable document cannot be judged; its message, if there is one, goes to the poison queue.
        Ok(Read::Missing | Read::Unchanged) | Err(StorageError::Unreadable { .. }) => {
            return Ok(Swept::Nothing);
        }
        Err(error) => return Err(error),
    };
    match review(&stored.document, written, &engine.policy, engine.env.timestamp()) {
        Review::Leave => Ok(Swept::Nothing),
        Review::Requeue(document, delay) => requeue(engine, &document, &stored.etag, delay).await,
        Review::Purge(attachments) => purge(engine, &stored.document, &stored.etag, &attachments).await,
    }
}

async fn requeue(
    engine: &Engine,
    document: &TaskStatus,
    etag: &str,
    delay: Duration,
) -> Result<Swept, StorageError> {
    // The write comes first, so that one sweeper sends the message. If it dies in between, the document
    // falls silent again.
    let etag = match engine.store.replace(document, etag).await? {
        Write::Done(etag) => etag,
        Write::Conflict => match engine.store.read(document.task_id, None).await? {
            // Its own write, whose reply was lost.
            Read::Found(stored) if stored.document == *document => stored.etag,
            _ => return Ok(Swept::Nothing),
        },
    };
    let queue = if delay.is_zero() { QueueName::Tasks } else { QueueName::Scheduled };
    engine.queue.send(queue, &TaskMessage::text_for(document, Some(&etag)), delay).await?;
    engine.env.log(
        &Line::warn("a task without a message was queued again")
            .with("task_id", document.task_id.to_string())
            .with("state", document.state.name()),
    );
    Ok(Swept::Requeued)
}

async fn purge(
    engine: &Engine,
    document: &TaskStatus,
    etag: &str,
    attachments: &[String],
) -> Result<Swept, StorageError> {
    for name in attachments {
        engine.store.delete_attachment(name).await?;
    }
    match engine.store.delete(document.task_id, etag).await? {
        Write::Done(_) => {
            engine.env.log(&Line::info("task purged").with("task_id", document.task_id.to_string()));
            Ok(Swept::Purged)
        }
        Write::Conflict => Ok(Swept::Nothing),
    }
}
