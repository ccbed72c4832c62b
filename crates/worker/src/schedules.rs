//! Schedules: creates the tasks of the firings that are due. `lifecycle::recurring` decides.
//!
//! A wake-up message in the scheduled queue makes a worker look at the schedules, and wakes one where none runs. The order of
//! the effects makes a crash at any point repairable: the tasks, the next wake-up message, the schedules, the deletion of the
//! message that was received.

use std::time::Duration;

use lifecycle::recurring::{Arrival, DueSchedule, RETRY_PAUSE, arrival, check_is_due, is_overdue, step};
use lifecycle::{intake, redelivery};
use models::{Overlap, Schedules, StoredSchedule, TaskId, TaskRequest, TaskStatus, WakeUp};
use service::log::Line;
use storage::{
    Read, ReceivedMessage, StorageError, StoredDocument, Write, read_schedules, save_schedules, send_task,
};

use crate::engine::{Engine, rest_after};
use crate::events::put_accepted;

/// Tries of a step. Each further one follows a change of the schedules by another writer.
const MAX_TRIES: u32 = 4;
/// The pause of a wake-up message whose step had such conflicts at every try.
const CONTENDED_PAUSE: Duration = Duration::from_secs(5);

/// A wake-up message that was received.
pub(crate) struct ReceivedWakeUp {
    pub(crate) message: ReceivedMessage,
    pub(crate) wake_up: WakeUp,
}

/// Whether the schedules are to be looked at without a wake-up message, which may be lost.
pub(crate) fn is_check_due(engine: &Engine, is_idle: bool) -> bool {
    let now = engine.env.instant();
    let since_check = engine.schedules_checked_at.get().map(|last| now.since(last));
    engine.settings.schedules && check_is_due(is_idle, since_check, now.since(engine.started_at))
}

/// Creates the tasks of the firings that are due, and processes the wake-up messages. Returns the number of firings.
///
/// It never fails: a message that is neither deleted nor hidden becomes visible when its lease expires.
pub(crate) async fn fire_due(engine: &Engine, received: &[ReceivedWakeUp]) -> u32 {
    if !engine.settings.schedules {
        // They were switched off. When they are on again, a worker finds what is overdue.
        for received in received {
            engine.discard(&received.message).await;
        }
        return 0;
    }
    engine.schedules_checked_at.set(Some(engine.env.instant()));
    let pause = match perform_step(engine, received).await {
        Ok(Some((schedules, fired))) => {
            finish(engine, &schedules, received).await;
            return fired;
        }
        Ok(None) => CONTENDED_PAUSE,
        Err(error) => {
            engine.log_failure("schedules could not be processed; they are tried again", &error);
            let deliveries = received.iter().map(|received| received.message.dequeue_count).max();
            redelivery::pause(deliveries.unwrap_or(1), rest_after(&error), engine.env.fraction())
        }
    };
    for received in received {
        engine.hide(&received.message, pause, None).await;
    }
    0
}

/// Performs a step if one is due. Returns the schedules as they were stored last and the number of firings; `None` if other
/// writers changed the schedules during every try. The tasks that a try created are then those of the other writers too.
async fn perform_step(
    engine: &Engine,
    received: &[ReceivedWakeUp],
) -> Result<Option<(Schedules, u32)>, StorageError> {
    for _ in 0..MAX_TRIES {
        let (before, etag) = read_schedules(&*engine.store).await?;
        if etag.is_none() && !received.is_empty() {
            // An error if the container does not exist either. Then nothing is known, and the messages stay.
            find(engine, TaskId::from_digest(&[])).await?;
        }
        if !before.unreadable.is_empty() {
            let count = u32::try_from(before.unreadable.len()).unwrap_or(u32::MAX);
            engine.env.log(
                &Line::warn("schedules that this release cannot read have no firings")
                    .with("schedules", count),
            );
        }
        let now = engine.env.timestamp();
        let is_due = |received: &ReceivedWakeUp| arrival(&before, &received.wake_up, now) == Arrival::Due;
        let (Some(etag), true) = (etag, received.iter().any(is_due) || is_overdue(&before, now)) else {
            return Ok(Some((before, 0)));
        };
        let mut after = before.clone();
        let (mut fired, mut pause) = (0, Duration::ZERO);
        for due in step(&mut after, now) {
            let Some(entry) = after.entries.get_mut(due.index) else { continue };
            match fire(engine, entry, &due).await {
                Ok(count) => fired += count,
                // The other schedules must not wait for it.
                Err(error) if error.affects_one_item() => {
                    engine.env.log(
                        &Line::error("a task of a schedule could not be created; it is tried again")
                            .with("schedule", entry.name.as_str())
                            .with("cause", error.to_string()),
                    );
                    if let Some(as_before) = before.entries.get(due.index) {
                        entry.clone_from(as_before);
                    }
                    pause = RETRY_PAUSE;
                }
                Err(error) => return Err(error),
            }
        }
        if save_schedules(&*engine.store, &*engine.queue, &*engine.env, &mut after, etag, pause).await? {
            return Ok(Some((after, fired)));
        }
    }
    Ok(None)
}

/// Creates the tasks of the firings of one schedule, one after another, and records the latest. Returns their number.
async fn fire(engine: &Engine, entry: &mut StoredSchedule, due: &DueSchedule) -> Result<u32, StorageError> {
    let request = TaskRequest::parse(entry.definition.task.get().as_bytes())
        .map_err(|error| StorageError::Refused(error.to_string()))?;
    let mut count = 0;
    for firing in &due.firings {
        let last = match entry.last_task_id.filter(|_| entry.definition.overlap == Overlap::Skip) {
            Some(last) => find(engine, last).await?,
            None => None,
        };
        let overlaps = last.is_some_and(|last| !last.document.state.is_terminal());
        if !overlaps {
            create(engine, entry, firing.task_id, request.clone()).await?;
            count += 1;
            (entry.last_fired_at, entry.last_task_id) = (Some(firing.at), Some(firing.task_id));
        }
        let line = if overlaps {
            Line::info("a firing was skipped; the task of the previous one has not ended")
        } else {
            Line::info("a schedule fired")
        };
        let line = line.with("schedule", entry.name.as_str()).with("due_at", firing.at.to_string());
        engine.env.log(&line.with("task_id", firing.task_id.to_string()));
    }
    Ok(count)
}

/// Creates the task of a firing and sends its message. If the task exists, an earlier or concurrent step has created it, and may
/// have been interrupted before it sent the message. If it exists no more, it was deleted since.
async fn create(
    engine: &Engine,
    entry: &StoredSchedule,
    id: TaskId,
    request: TaskRequest,
) -> Result<(), StorageError> {
    let now = engine.env.timestamp();
    let address = engine.store.address(id).await?;
    let document = TaskStatus {
        owner: entry.owner.clone(),
        sink_events: engine.settings.sink.is_some(),
        ..TaskStatus::accepted(id, request, address, now)
    };
    let stored = match engine.store.create(&document).await? {
        Write::Done(etag) => Some(StoredDocument { document, etag }),
        Write::Conflict => find(engine, id).await?,
    };
    let Some(stored) = stored else { return Ok(()) };
    match intake::message_delay(&stored.document, now) {
        Some(delay) => {
            put_accepted(engine, &stored.document).await?;
            send_task(&*engine.queue, &stored.document, &stored.etag, delay, false).await
        }
        None => Ok(()),
    }
}

/// Reads the document of a task; `None` if it does not exist or cannot be read.
async fn find(engine: &Engine, id: TaskId) -> Result<Option<StoredDocument>, StorageError> {
    match engine.store.read(id, None).await {
        Ok(Read::Found(stored)) => Ok(Some(*stored)),
        Ok(Read::Missing | Read::Unchanged) | Err(StorageError::Unreadable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes the wake-up messages that are over, and hides one that came early.
async fn finish(engine: &Engine, schedules: &Schedules, received: &[ReceivedWakeUp]) {
    let now = engine.env.timestamp();
    for ReceivedWakeUp { message, wake_up } in received {
        match arrival(schedules, wake_up, now) {
            Arrival::Early(wait) => engine.hide(message, wait, None).await,
            Arrival::Due | Arrival::Obsolete => engine.discard(message).await,
        }
    }
}
