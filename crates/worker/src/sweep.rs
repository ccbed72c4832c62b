//! The sweep, in bounded steps: sends missing messages and deletes expired tasks. `lifecycle::sweep` decides.
//!
//! The state of the sweep is stored in the blob `sweep-state`, because instances live for seconds. A conditional write
//! claims a step, so that one of several workers performs it.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use lifecycle::sweep::{Review, Sweep, review};
use models::{DrainReport, TaskId, TaskStatus, Timestamp};
use service::log::Line;
use storage::{ETag, Page, Read, StorageError, Write, release_key, send_task};

use crate::engine::{Engine, rest_after};
use crate::events::{put_accepted, put_event};

const STATE_BLOB: &str = "sweep-state";
const MAX_STATE_BYTES: u64 = 64 * 1024;
/// Documents per page, the maximum of Blob Storage.
const PAGE_DOCUMENTS: u32 = 5000;
/// A step begins no further page after this time, because messages that arrive wait for its end.
const STEP_TIME: Duration = Duration::from_secs(2);
/// Documents processed at a time.
const MAX_CONCURRENT_DOCUMENTS: usize = 16;
/// The longest time in which an instance does not read the state again.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// What the sweep did with one document.
enum Action {
    None,
    Requeued,
    Purged,
}

/// The end of a step.
struct StepEnd {
    /// The time until the next step.
    pause: Duration,
    /// Whether the pass continues at once.
    more: bool,
}

impl StepEnd {
    const NONE: Self = Self { pause: MAX_CHECK_INTERVAL, more: false };
}

/// Performs a step of the sweep if one is due and no other worker performs it.
pub(crate) async fn sweep(engine: &Engine, report: &mut DrainReport) {
    if engine.env.instant() < engine.sweep_check_at.get() {
        return;
    }
    let end = match perform_step(engine, report).await {
        Ok(end) => end,
        Err(error) => {
            engine.log_failure("a step of the sweep failed", &error);
            if let Some(rest) = rest_after(&error) {
                report.slow_down(rest);
            }
            StepEnd::NONE
        }
    };
    // The next drain continues the pass and need not wait.
    report.more |= end.more;
    engine.sweep_check_at.set(engine.env.instant().plus(end.pause.min(MAX_CHECK_INTERVAL)));
}

async fn perform_step(engine: &Engine, report: &mut DrainReport) -> Result<StepEnd, StorageError> {
    let interval = engine.settings.sweep_interval;
    let started = engine.env.instant();
    let (sweep, etag) = read_state(engine).await?;
    let now = engine.env.timestamp();
    let Some(claimed) = sweep.claim(&engine.sweep_policy, interval, now) else {
        return Ok(StepEnd { pause: sweep.next_at.since(now), more: false });
    };
    let Some(etag) = write_state(engine, &claimed, etag.as_deref()).await? else { return Ok(StepEnd::NONE) };
    let mut marker = claimed.marker.clone();
    loop {
        let page = match engine.store.list(marker.as_deref(), PAGE_DOCUMENTS).await {
            Ok(page) => page,
            // Storage does not know the marker any more. The next step begins another pass.
            Err(StorageError::Refused(_)) if marker.is_some() => {
                write_state(engine, &Sweep { marker: None, ..claimed }, Some(&etag)).await?;
                return Ok(StepEnd::NONE);
            }
            Err(error) => return Err(error),
        };
        let next = page.next.clone();
        sweep_page(engine, &claimed, page, report).await?;
        marker = next;
        let elapsed = engine.env.instant().since(started);
        if marker.is_none() || elapsed >= STEP_TIME.min(engine.sweep_policy.visibility / 2) {
            break;
        }
    }
    let now = engine.env.timestamp();
    let more = marker.is_some();
    let next = claimed.advance(marker, interval, now);
    let is_written = write_state(engine, &next, Some(&etag)).await?.is_some();
    Ok(StepEnd { pause: next.next_at.since(now), more: more && is_written })
}

/// Processes the documents of a page. A document that storage refuses to return or to change is skipped, so that the
/// sweep reaches the documents behind it.
async fn sweep_page(
    engine: &Engine,
    sweep: &Sweep,
    page: Page,
    report: &mut DrainReport,
) -> Result<(), StorageError> {
    let now = engine.env.timestamp();
    let due =
        page.tasks.into_iter().filter(|task| sweep.wants(task.written, task.mark, &engine.sweep_policy, now));
    let mut actions = stream::iter(due)
        .map(|task| async move { (task.id, sweep_document(engine, task.id, task.written).await) })
        .buffer_unordered(MAX_CONCURRENT_DOCUMENTS);
    while let Some((id, action)) = actions.next().await {
        match action {
            Ok(Action::None) => {}
            Ok(Action::Requeued) => report.requeued += 1,
            Ok(Action::Purged) => report.purged += 1,
            Err(error) if error.affects_one_item() || sweep.passes_over() => engine.env.log(
                &Line::error("the sweep passed over a document")
                    .with("task_id", id.to_string())
                    .with("cause", error.to_string()),
            ),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads the state. An unreadable one counts as not started.
async fn read_state(engine: &Engine) -> Result<(Sweep, Option<ETag>), StorageError> {
    Ok(match engine.store.read_attachment(STATE_BLOB, 0..MAX_STATE_BYTES, None).await? {
        Some(part) => {
            (serde_json::from_slice(&part.bytes).unwrap_or_else(|_| Sweep::unstarted()), Some(part.etag))
        }
        None => (Sweep::unstarted(), None),
    })
}

/// Returns the new version of the state; `None` if another worker has changed it.
async fn write_state(
    engine: &Engine,
    sweep: &Sweep,
    etag: Option<&str>,
) -> Result<Option<ETag>, StorageError> {
    let sweep = Sweep { writer: engine.env.next_u64(), ..sweep.clone() };
    let bytes = serde_json::to_vec(&sweep).unwrap_or_default();
    if let Write::Done(etag) =
        engine.store.swap_attachment(STATE_BLOB, "application/json", bytes.into(), etag).await?
    {
        return Ok(Some(etag));
    }
    // Or this worker has, and the response was lost.
    let (stored, etag) = read_state(engine).await?;
    Ok(etag.filter(|_| stored.writer == sweep.writer))
}

async fn sweep_document(engine: &Engine, id: TaskId, written: Timestamp) -> Result<Action, StorageError> {
    let stored = match engine.store.read(id, None).await {
        Ok(Read::Found(stored)) => stored,
        // The message of an unreadable document, if there is one, goes to the poison queue.
        Ok(Read::Missing | Read::Unchanged) | Err(StorageError::Unreadable { .. }) => {
            return Ok(Action::None);
        }
        Err(error) => return Err(error),
    };
    match review(&stored.document, written, &engine.sweep_policy, engine.env.timestamp()) {
        Review::Leave => Ok(Action::None),
        Review::Requeue(document, delay) => requeue(engine, &document, &stored.etag, delay).await,
        Review::PutEvent(document) => put_lost_event(engine, &document, &stored.etag).await,
        Review::Purge(attachments) => purge(engine, &stored.document, &stored.etag, &attachments).await,
    }
}

async fn requeue(
    engine: &Engine,
    document: &TaskStatus,
    etag: &str,
    delay: Duration,
) -> Result<Action, StorageError> {
    // The write comes first, so that one worker sends the message. If it crashes in between, a later pass finds the
    // document again.
    let etag = match engine.store.replace(document, etag).await? {
        Write::Done(etag) => etag,
        Write::Conflict => match engine.store.read(document.task_id, None).await? {
            // This worker's own write, whose response was lost.
            Read::Found(stored) if stored.document == *document => stored.etag,
            _ => return Ok(Action::None),
        },
    };
    // The submission may have crashed before it put the event of the acceptance, or its message, which was given up without being
    // read, said that the event is owed.
    put_accepted(engine, document).await?;
    send_task(&*engine.queue, document, &etag, delay, false).await?;
    engine.env.log(
        &Line::warn("a task without a message was queued again")
            .with("task_id", document.task_id.to_string())
            .with("state", document.state.name()),
    );
    Ok(Action::Requeued)
}

/// Puts the message of an event again whose message is missing. While many events wait, a missing message cannot be
/// distinguished from one that waits with them; the document is then only written, so that a later pass reads it again.
async fn put_lost_event(engine: &Engine, document: &TaskStatus, etag: &str) -> Result<Action, StorageError> {
    // The write comes first, so that one worker puts the message.
    if engine.store.replace(document, etag).await? == Write::Conflict || !engine.events_drained.get() {
        return Ok(Action::None);
    }
    put_event(engine, document).await?;
    engine.env.log(
        &Line::warn("an event without a message was queued again")
            .with("task_id", document.task_id.to_string()),
    );
    Ok(Action::Requeued)
}

async fn purge(
    engine: &Engine,
    document: &TaskStatus,
    etag: &str,
    attachments: &[String],
) -> Result<Action, StorageError> {
    for name in attachments {
        engine.store.delete_attachment(name).await?;
    }
    release_key(&*engine.store, document).await?;
    match engine.store.delete(document.task_id, etag).await? {
        Write::Done(_) => {
            engine.env.log(&Line::info("task purged").with("task_id", document.task_id.to_string()));
            Ok(Action::Purged)
        }
        Write::Conflict => Ok(Action::None),
    }
}
