//! Events of ended tasks: puts their messages, and delivers them to the receivers that `CallbackUri` names.
//! `lifecycle::events` decides.
//!
//! Deliveries occupy no slot of a drain: tasks are received and run meanwhile.

mod call;
mod signature;

use std::time::Duration;

use futures::future::{LocalBoxFuture, join_all};
use lifecycle::events::{self, Called, Next, Step, decide, record};
use lifecycle::redelivery;
use models::{EventMessage, TaskStatus};
use service::callback::Callbacks;
use service::log::Line;
use storage::{QueueName, Read, ReceivedMessage, StorageError, StoredDocument, Write};

use crate::engine::{Engine, rest_after};
use crate::poison::poison;
use call::call;

/// Events that a drain delivers at a time.
const MAX_BATCH_EVENTS: u32 = 16;
/// Tries to record one call. Each further one follows a conflict with another writer of the document.
const MAX_WRITES: u32 = 4;
/// The pause of a message whose call could not be recorded because of such conflicts.
const CONTENDED_PAUSE: Duration = Duration::from_secs(5);

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

/// Puts the message of the event of `document`, if one is due.
///
/// # Errors
/// The message may not have been put. The message of the task must then be left in its queue.
pub(crate) fn put_event<'a>(
    engine: &'a Engine,
    document: &'a TaskStatus,
) -> LocalBoxFuture<'a, Result<(), StorageError>> {
    // Boxed, because several deliveries of a task end in it.
    Box::pin(async move {
        let Some(message) = EventMessage::of(document) else { return Ok(()) };
        engine.queue.send(QueueName::Events, &message.text(), Duration::ZERO).await?;
        engine.is_event_put.set(true);
        Ok(())
    })
}

/// Returns the time until this drain checks the queue of events; `None` if events are off.
pub(crate) fn check_in(engine: &Engine, is_idle: bool) -> Option<Duration> {
    engine.settings.callbacks.as_ref()?;
    let since_check = engine.events_checked_at.get().map(|at| engine.env.instant().since(at));
    Some(events::check_in(engine.is_event_put.get(), is_idle, since_check))
}

/// Receives events and delivers each of them once. Returns how long not to call storage, if it was busy or failed.
pub(crate) async fn deliver_events(engine: &Engine) -> Option<Duration> {
    let callbacks = engine.settings.callbacks.as_ref()?;
    engine.events_checked_at.set(Some(engine.env.instant()));
    engine.is_event_put.set(false);
    let lease = events::lease(engine.settings.visibility);
    let messages = match engine.queue.receive(QueueName::Events, MAX_BATCH_EVENTS, lease).await {
        Ok(messages) => messages,
        Err(error) => {
            engine.log_failure("events could not be received", &error);
            return rest_after(&error);
        }
    };
    let is_full = messages.len() >= MAX_BATCH_EVENTS as usize;
    engine.events_drained.set(!is_full);
    if is_full {
        // The next batch follows at once.
        engine.is_event_put.set(true);
    }
    let rests = join_all(messages.iter().map(|message| deliver(engine, callbacks, message))).await;
    rests.into_iter().flatten().max()
}

/// Never fails: a message that is neither deleted nor hidden becomes visible when its lease expires.
async fn deliver(engine: &Engine, callbacks: &Callbacks, received: &ReceivedMessage) -> Option<Duration> {
    let ended = match process(engine, callbacks, received).await {
        Ok(Ended::Next(Next::Delete)) => {
            delete(engine, received).await;
            Ok(())
        }
        Ok(Ended::Hide(wait)) => {
            hide(engine, received, wait, None).await;
            Ok(())
        }
        Ok(Ended::Next(Next::Wait(pause))) => {
            let text = noted(received, pause.called);
            hide(engine, received, pause.wait, text.as_deref()).await;
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
    hide(engine, received, wait, None).await;
    rest
}

/// Returns the text of the message with this note; `None` if it is no event.
fn noted(received: &ReceivedMessage, called: u32) -> Option<String> {
    let message = EventMessage::parse(&received.text).ok()?;
    Some(EventMessage { called, ..message }.text())
}

/// Decides, and calls the receiver if that is the decision. Returns what is to be done with the message.
async fn process(
    engine: &Engine,
    callbacks: &Callbacks,
    received: &ReceivedMessage,
) -> Result<Ended, StorageError> {
    let message = match EventMessage::parse(&received.text) {
        Ok(message) => message,
        Err(reason) => return Ok(Next::GiveUp(reason.to_owned()).into()),
    };
    let stored = match read(engine, &message).await {
        Err(StorageError::Unreadable { reason, .. }) => {
            return Ok(Next::GiveUp(format!("the stored document cannot be read: {reason}")).into());
        }
        stored => stored?,
    };
    let document = stored.as_ref().map(|stored| &stored.document);
    match (decide(&message, document, received.dequeue_count, engine.env.timestamp()), stored) {
        (Step::Call, Some(stored)) => {
            let started = engine.env.instant();
            let called = call(&*engine.env, callbacks, &message, &stored.document).await;
            let milliseconds = engine.env.instant().since(started).as_millis();
            log_call(engine, &stored.document, &called, milliseconds);
            record_call(engine, callbacks, received, &message, &called, stored).await
        }
        (Step::GiveUp { reason, document: Some(document) }, Some(stored)) => {
            match engine.store.replace(&document, &stored.etag).await? {
                Write::Done(_) => Ok(Next::GiveUp(reason).into()),
                Write::Conflict => Ok(Ended::Hide(CONTENDED_PAUSE)),
            }
        }
        (step, _) => Ok(without_call(step).into()),
    }
}

/// What a step without a call, and without a document to write, means for the message.
fn without_call(step: Step) -> Next {
    match step {
        Step::Wait(pause) => Next::Wait(pause),
        Step::GiveUp { reason, .. } => Next::GiveUp(reason),
        Step::Discard | Step::Call => Next::Delete,
    }
}

/// Records the call in the document. If the worker crashes before, the receiver is called again.
async fn record_call(
    engine: &Engine,
    callbacks: &Callbacks,
    received: &ReceivedMessage,
    message: &EventMessage,
    called: &Called,
    mut stored: StoredDocument,
) -> Result<Ended, StorageError> {
    let fraction = engine.env.fraction();
    for _ in 0..MAX_WRITES {
        let now = engine.env.timestamp();
        let (document, next) = record(&stored.document, called, callbacks.max_attempts, now, fraction);
        if let Write::Done(_) = engine.store.replace(&document, &stored.etag).await? {
            return Ok(next.into());
        }
        let Some(current) = read(engine, message).await? else { return Ok(Next::Delete.into()) };
        if current.document == document {
            // The response to the write was lost.
            return Ok(next.into());
        }
        stored = current;
        match decide(message, Some(&stored.document), received.dequeue_count, now) {
            // Another message of the event was called for as well. This call counts too.
            Step::Call | Step::Wait(_) => {}
            // Also if the message was received too often: the next delivery finds that again.
            Step::GiveUp { document: Some(_), .. } => break,
            step => return Ok(without_call(step).into()),
        }
    }
    Ok(Ended::Hide(CONTENDED_PAUSE))
}

async fn read(engine: &Engine, message: &EventMessage) -> Result<Option<StoredDocument>, StorageError> {
    match engine.store.read(message.event_of, None).await? {
        Read::Found(stored) => Ok(Some(*stored)),
        Read::Missing | Read::Unchanged => Ok(None),
    }
}

/// Hides the message and replaces its text if one is given. If that fails, it stays hidden until its lease expires.
async fn hide(engine: &Engine, received: &ReceivedMessage, wait: Duration, text: Option<&str>) {
    if let Err(error) = engine.queue.update(received, wait, text).await {
        engine.log_failure("a message could not be given back early", &error);
    }
}

async fn delete(engine: &Engine, received: &ReceivedMessage) {
    if let Err(error) = engine.queue.delete(received).await {
        engine.log_failure("a message could not be deleted", &error);
    }
}

fn log_call(engine: &Engine, document: &TaskStatus, called: &Called, milliseconds: u128) {
    let line = match called {
        Called::Accepted(status) => Line::info("event delivered").with("outcome", format!("HTTP {status}")),
        Called::Failed { outcome, .. } | Called::Refused(outcome) => {
            Line::warn("event not delivered").with("outcome", outcome.as_str())
        }
    };
    let attempts = document.callback.as_ref().map_or(0, |callback| callback.attempts);
    engine.env.log(
        &line
            .with("task_id", document.task_id.to_string())
            .with("attempt", attempts.saturating_add(1))
            .with("duration_ms", u64::try_from(milliseconds).unwrap_or(u64::MAX)),
    );
}
