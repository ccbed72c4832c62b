//! Events of tasks: puts their messages, and delivers them to the receivers that `CallbackUri` names and to the operator's
//! sink. `lifecycle::events` and `lifecycle::sink` decide.
//!
//! Deliveries occupy no slot of a drain: tasks are received and run meanwhile.

mod call;
mod ended;
mod owed;
mod signature;
mod sink;

use std::time::Duration;

use futures::future::LocalBoxFuture;
use lifecycle::events::{self, Called, Next};
use lifecycle::redelivery;
use lifecycle::sink::{after, given_up};
use models::{EventMessage, SinkMessage, TaskId, TaskStatus, milliseconds};
use service::env::Instant;
use service::log::Line;
use storage::{QueueName, ReceivedMessage, StorageError};

use crate::engine::{Engine, rest_after};
use crate::poison::poison;
pub(crate) use owed::Owed;

/// Events that a drain delivers at a time.
pub(crate) const MAX_EVENTS: usize = 16;

/// What is to be done with a message.
enum Ended {
    Next(Next),
    /// Hide it for this time without a note: nothing was decided.
    Hide(Duration),
}

impl From<Next> for Ended {
    fn from(next: Next) -> Self {
        Self::Next(next)
    }
}

/// Puts the messages of the events of the end of `document` that are due. A task that ended before its first attempt may owe
/// the event of its acceptance as well.
///
/// # Errors
/// The message may not have been put. The message of the task must then be left in its queue.
pub(crate) fn put_event<'a>(
    engine: &'a Engine,
    document: &'a TaskStatus,
) -> LocalBoxFuture<'a, Result<(), StorageError>> {
    // Boxed, because several deliveries of a task end in it.
    Box::pin(async move {
        if let Some(message) = EventMessage::of(document) {
            put(engine, &message.text()).await?;
        }
        if let Some(message) = EventMessage::for_sink(document) {
            if document.attempt == 0 {
                put_accepted(engine, document).await?;
            }
            put(engine, &message.text()).await?;
        }
        Ok(())
    })
}

/// Puts the event of the acceptance again, which a crash or an error may have prevented.
///
/// # Errors
/// The message may not have been put.
pub(crate) async fn put_accepted(engine: &Engine, document: &TaskStatus) -> Result<(), StorageError> {
    match SinkMessage::accepted(document) {
        Some(message) => put(engine, &message.text()).await,
        None => Ok(()),
    }
}

fn put<'a>(engine: &'a Engine, text: &'a str) -> LocalBoxFuture<'a, Result<(), StorageError>> {
    Box::pin(async move {
        engine.queue.send(QueueName::Events, text, Duration::ZERO).await?;
        engine.is_event_put.set(true);
        Ok(())
    })
}

/// Returns the time until this drain checks the queue of events; `None` if events are off.
pub(crate) fn check_in(engine: &Engine, is_idle: bool) -> Option<Duration> {
    if engine.settings.callbacks.is_none() && engine.settings.sink.is_none() {
        return None;
    }
    let since_check = engine.events_checked_at.get().map(|at| engine.env.instant().since(at));
    Some(events::check_in(engine.is_event_put.get(), is_idle, since_check))
}

/// Receives at most `count` events.
///
/// # Errors
/// How long not to call storage, if it was busy or failed.
pub(crate) async fn receive(engine: &Engine, count: usize) -> Result<Vec<ReceivedMessage>, Option<Duration>> {
    engine.events_checked_at.set(Some(engine.env.instant()));
    engine.is_event_put.set(false);
    let lease = events::lease(engine.settings.visibility);
    let max = u32::try_from(count).unwrap_or(u32::MAX);
    match engine.queue.receive(QueueName::Events, max, lease).await {
        Ok(messages) => {
            let is_full = messages.len() >= count;
            engine.events_drained.set(!is_full);
            if is_full {
                // The next ones follow as soon as there is room.
                engine.is_event_put.set(true);
            }
            Ok(messages)
        }
        Err(error) => {
            engine.log_failure("events could not be received", &error);
            Err(rest_after(&error))
        }
    }
}

/// Delivers an event once. Returns how long not to call storage, if it was busy or failed.
///
/// Never fails: a message that is neither deleted nor hidden becomes visible when its lease expires.
pub(crate) async fn deliver(engine: &Engine, received: ReceivedMessage) -> Option<Duration> {
    let received = &received;
    let ended = match process(engine, received).await {
        Ok(Ended::Next(Next::Delete)) => {
            engine.discard(received).await;
            Ok(())
        }
        Ok(Ended::Hide(wait)) => {
            engine.hide(received, wait, None).await;
            Ok(())
        }
        Ok(Ended::Next(Next::Wait(pause))) => {
            let text = noted(received, pause.called);
            engine.hide(received, pause.wait, text.as_deref()).await;
            Ok(())
        }
        Ok(Ended::Next(Next::GiveUp(reason))) => {
            // As it was sent, without the note.
            let text = noted(received, 0).unwrap_or_else(|| received.text.clone());
            poison(engine, &ReceivedMessage { text, ..received.clone() }, &reason).await
        }
        Err(error) => Err(error),
    };
    let error = ended.err()?;
    engine.log_failure("an event could not be dealt with; its message comes back", &error);
    let rest = rest_after(&error);
    let wait = redelivery::pause(received.dequeue_count, rest, engine.env.fraction());
    engine.hide(received, wait, None).await;
    rest
}

/// Returns the text of the message with this note; `None` if it is no event.
fn noted(received: &ReceivedMessage, called: u32) -> Option<String> {
    if let Some(message) = SinkMessage::parse(&received.text) {
        return Some(SinkMessage { called, ..message }.text());
    }
    let message = EventMessage::parse(&received.text).ok()?;
    Some(EventMessage { called, ..message }.text())
}

/// Delivers the event that the message names. Returns what is to be done with the message.
async fn process(engine: &Engine, received: &ReceivedMessage) -> Result<Ended, StorageError> {
    if let Some(message) = SinkMessage::parse(&received.text) {
        return Ok(Ended::Next(deliver_to_sink(engine, received, &message).await));
    }
    match EventMessage::parse(&received.text) {
        Ok(message) => ended::process(engine, received, &message).await,
        Err(reason) => Ok(Next::GiveUp(reason.to_owned()).into()),
    }
}

/// Delivers an event other than an end. The calls are counted in its message.
async fn deliver_to_sink(engine: &Engine, received: &ReceivedMessage, message: &SinkMessage) -> Next {
    if let Some(reason) = given_up(message, received.dequeue_count) {
        return Next::GiveUp(reason);
    }
    let started = engine.env.instant();
    let called = sink::call(engine, sink::text_of_message(engine, message)).await;
    log_call(engine, message.event_of, message.called, &called, started);
    after(message, &called, max_attempts(engine, true), engine.env.timestamp(), engine.env.fraction())
}

/// Calls of the sink, or of a receiver, for one event. Without a sink or receivers, the first call is refused.
fn max_attempts(engine: &Engine, is_for_sink: bool) -> u32 {
    let settings = &engine.settings;
    let (sink, callbacks) = (settings.sink.as_ref(), settings.callbacks.as_ref());
    let max = if is_for_sink { sink.map(|it| it.max_attempts) } else { callbacks.map(|it| it.max_attempts) };
    max.unwrap_or(1)
}

/// `attempts` is the number of earlier calls.
fn log_call(engine: &Engine, task: TaskId, attempts: u32, called: &Called, started: Instant) {
    let line = match called {
        Called::Accepted(_) => Line::info("event delivered"),
        Called::Failed { .. } | Called::Refused(_) => Line::warn("event not delivered"),
    };
    let took = engine.env.instant().since(started);
    engine.env.log(
        &line
            .with("outcome", called.outcome())
            .with("task_id", task.to_string())
            .with("attempt", attempts.saturating_add(1))
            .with("duration_ms", milliseconds(took)),
    );
}
