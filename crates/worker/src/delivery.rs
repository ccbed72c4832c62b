//! One delivery of a message, from its text to its outcome. `lifecycle::delivery` decides.

use futures::future::LocalBoxFuture;
use lifecycle::delivery::{Delivery, DocumentRead, Step, decide, document_from_message};
use lifecycle::handlers::slots::pause;
use lifecycle::redelivery::{approach, backed_off, survived};
use lifecycle::replay::task_of;
use models::{DeliveryId, DeliveryNote, MessageError, TaskId, TaskMessage, TaskStatus, milliseconds};
use service::env::Instant;
use service::log::Line;
use storage::{QueueName, Read, ReceivedMessage, StorageError, StoredDocument, Write};

use crate::attempt::Attempt;
use crate::engine::{Engine, rest_after};
use crate::events::{Owed, put_accepted, put_event};
use crate::outcome::{DeliveryEnd, DeliveryOutcome};
use crate::places::{Place, Places};
use crate::poison::poison;
use crate::redelivery;
use crate::run::run;
use crate::slots::Slot;

/// Decisions about one delivery. Each further one follows a conflict with another writer of the document. The message
/// is then left to its next delivery.
const MAX_DECISIONS: u32 = 6;

/// One delivery whose message was parsed.
struct Parsed<'a> {
    engine: &'a Engine,
    places: &'a Places,
    received: &'a ReceivedMessage,
    message: &'a Result<TaskMessage, MessageError>,
    delivery: Delivery,
    leased_since: Instant,
    slot: &'a Slot,
}

/// The document of the task that the message names.
enum Document {
    /// As it is stored, or as the message carries it. The first conditional write confirms the latter.
    Found(Box<StoredDocument>),
    Missing,
    Unreadable(String),
}

impl Document {
    fn found(&self) -> DocumentRead<'_> {
        match self {
            Self::Found(stored) => DocumentRead::Found(&stored.document),
            Self::Missing => DocumentRead::Missing,
            Self::Unreadable(reason) => DocumentRead::Unreadable(reason),
        }
    }

    /// Returns the name of the task, which selects its policy; empty if neither the document nor the message says it.
    fn task_name<'a>(&'a self, message: &'a Result<TaskMessage, MessageError>) -> &'a str {
        let carried = || message.as_ref().ok().and_then(|message| message.document.as_ref());
        let document = match self {
            Self::Found(stored) => Some(&stored.document),
            Self::Missing | Self::Unreadable(_) => carried(),
        };
        document.map_or("", |document| &document.task_name)
    }

    /// Returns the document if it was read or carried.
    fn status(&self) -> Option<&TaskStatus> {
        match self {
            Self::Found(stored) => Some(&stored.document),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }

    fn etag(&self) -> Option<&str> {
        match self {
            Self::Found(stored) => Some(&stored.etag),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }
}

/// Processes one delivery. Never fails: a storage error ends the delivery as [`DeliveryOutcome::Lost`], and a message
/// that is not deleted becomes visible again.
pub(crate) async fn deliver(
    engine: &Engine,
    places: &Places,
    mut received: ReceivedMessage,
    mut leased_since: Instant,
    slot: Slot,
) -> DeliveryEnd {
    let started = engine.env.instant();
    let note = DeliveryNote::of(&received.text, received.dequeue_count);
    let approach = approach(received.dequeue_count, note, &engine.policy);
    let note_after_error = redelivery::note_after_error(&approach, received.dequeue_count, note);
    let mut task_id = None;
    let ended = match redelivery::prepare(engine, &mut received, &mut leased_since, approach).await {
        Ok(None) => {
            let message = TaskMessage::parse(&received.text);
            task_id = task_of(&message);
            process(engine, places, &received, &message, leased_since, &slot).await
        }
        Ok(Some(end)) => Ok(end),
        Err(error) => Err(error),
    };
    match ended {
        Ok(end) => {
            use DeliveryOutcome::{Deferred, Discarded, Lost};
            if matches!(end.outcome, Discarded | Deferred | Lost) {
                let took = engine.env.instant().since(started);
                engine.env.log(
                    &Line::info("delivery ended without work")
                        .with("task_id", task_id.map(|id| id.to_string()))
                        .with("outcome", end.outcome.name())
                        .with("duration_ms", milliseconds(took)),
                );
            }
            end
        }
        Err(error) => {
            engine.log_failure("a delivery could not be dealt with; its message comes back", &error);
            let rest = rest_after(&error);
            redelivery::hide_after_error(engine, &received, note_after_error, rest).await;
            DeliveryEnd { outcome: DeliveryOutcome::Lost, rest }
        }
    }
}

/// Decides and performs the decision. After a conflict, reads the document and decides again.
async fn process(
    engine: &Engine,
    places: &Places,
    received: &ReceivedMessage,
    message: &Result<TaskMessage, MessageError>,
    leased_since: Instant,
    slot: &Slot,
) -> Result<DeliveryEnd, StorageError> {
    let delivery = Delivery {
        id: DeliveryId { message_id: received.message_id.clone(), dequeue_count: received.dequeue_count },
        inserted_at: received.inserted_at,
        received_at: received.next_visible_at.minus(engine.policy.visibility),
        note: DeliveryNote::of(&received.text, received.dequeue_count),
    };
    let parsed = Parsed { engine, places, received, message, delivery, leased_since, slot };
    let mut document = first_document(&parsed).await?;
    let mut place = None;
    for _ in 0..MAX_DECISIONS {
        let now = engine.env.timestamp();
        let policy = engine.policy_of(document.task_name(message));
        let step = decide(message, document.found(), &parsed.delivery, &policy, now);
        if let Step::Run(next) = &step
            && place.is_none()
        {
            place = places.take(&engine.settings.handlers, &next.task_name);
            if place.is_none() {
                place = places.wait(engine, &next.task_name).await;
                if place.is_none() {
                    return Ok(wait_for_place(&parsed).await);
                }
                // The attempt begins now, not when the wait began.
                continue;
            }
        }
        if let Some(end) = perform(&parsed, step, &document, &mut place).await? {
            return Ok(end);
        }
        if let Some(id) = task_of(message) {
            document = read_document(engine, message, id).await?;
        }
    }
    Ok(DeliveryOutcome::Lost.into())
}

/// Performs one step. Returns `None` if another program has changed the document since it was read.
///
/// An attempt is started with `place`.
async fn perform<'a>(
    parsed: &Parsed<'a>,
    step: Step,
    document: &Document,
    place: &mut Option<Place<'a>>,
) -> Result<Option<DeliveryEnd>, StorageError> {
    let Parsed { engine, received, delivery, .. } = parsed;
    let outcome = match step {
        Step::Run(next) => match write(engine, &next, document.etag()).await? {
            Write::Done(etag) => start(parsed, StoredDocument { document: *next, etag }, place.take()).await,
            Write::Conflict => return Ok(None),
        },
        Step::Resume => match document {
            // The attempt was started with a place, which this delivery has lost.
            Document::Found(stored) => {
                let of_name = || parsed.places.take(&engine.settings.handlers, &stored.document.task_name);
                let place = place.take().or_else(of_name);
                start(parsed, (**stored).clone(), place).await
            }
            Document::Missing | Document::Unreadable(_) => DeliveryOutcome::Lost,
        },
        Step::Cancel(next) => match write(engine, &next, document.etag()).await? {
            Write::Done(_) => {
                put_events(parsed, Some(&next)).await?;
                engine.discard(received).await;
                DeliveryOutcome::Cancelled
            }
            Write::Conflict => return Ok(None),
        },
        Step::Poison { reason, document: next } => {
            if let Some(next) = &next
                && write(engine, next, document.etag()).await? == Write::Conflict
            {
                return Ok(None);
            }
            put_events(parsed, next.as_deref().or(document.status())).await?;
            poison(engine, received, &reason).await?;
            DeliveryOutcome::Poisoned
        }
        Step::Discard(_) => {
            // The worker, or the request to cancel, that ended the task may have crashed before it put the event.
            put_events(parsed, document.status()).await?;
            engine.discard(received).await;
            DeliveryOutcome::Discarded
        }
        Step::Delay(delay) => {
            let owes_accepted = parsed.message.as_ref().is_ok_and(|message| message.owes_accepted);
            let text = text_for_scheduled_queue(received, document, owes_accepted);
            engine.queue.send(QueueName::Scheduled, &text, delay).await?;
            engine.discard(received).await;
            DeliveryOutcome::Deferred
        }
        Step::Postpone(wait) => {
            let note = survived(received.dequeue_count, delivery.note);
            return Ok(Some(redelivery::defer(engine, received, wait, note).await));
        }
        Step::BackOff { wait, attempt } => {
            let note = backed_off(received.dequeue_count, attempt);
            return Ok(Some(redelivery::defer(engine, received, wait, note).await));
        }
        Step::Leave => DeliveryOutcome::Lost,
    };
    Ok(Some(outcome.into()))
}

/// Puts the events that are still due before the message is deleted.
fn put_events<'a>(
    parsed: &'a Parsed<'_>,
    document: Option<&'a TaskStatus>,
) -> LocalBoxFuture<'a, Result<(), StorageError>> {
    // Boxed, because several steps end in it.
    Box::pin(async move {
        if let Ok(message) = parsed.message
            && message.owes_accepted
            && let Some(accepted) = document.or(message.document.as_ref())
        {
            put_accepted(parsed.engine, accepted).await?;
        }
        match document {
            Some(document) => put_event(parsed.engine, document).await,
            None => Ok(()),
        }
    })
}

/// Hides the message of a task that has to wait for others of its name.
async fn wait_for_place(parsed: &Parsed<'_>) -> DeliveryEnd {
    let Parsed { engine, received, delivery, .. } = parsed;
    let note = survived(received.dequeue_count, delivery.note);
    redelivery::defer(engine, received, pause(received.dequeue_count, engine.env.fraction()), note).await
}

/// Runs an attempt of the task, whose stored document says that this delivery has started it.
async fn start(parsed: &Parsed<'_>, stored: StoredDocument, place: Option<Place<'_>>) -> DeliveryOutcome {
    let Parsed { engine, received, delivery, leased_since, slot, .. } = parsed;
    let owes_accepted = parsed.message.as_ref().is_ok_and(|message| message.owes_accepted);
    let owed = Owed::at_start(engine, &stored.document, owes_accepted);
    let attempt = Attempt::new(engine, (*received).clone(), delivery.id.clone(), stored, *leased_since, owed);
    run(attempt, slot, place).await
}

/// Returns the text of the message for the scheduled queue: its own, in a form that fits, without notes.
fn text_for_scheduled_queue(received: &ReceivedMessage, document: &Document, owes_accepted: bool) -> String {
    let original = DeliveryNote::removed_from(&received.text);
    match (TaskMessage::text_to_forward(&original), document) {
        (Some(text), _) => text,
        (None, Document::Found(stored)) => {
            TaskMessage::text_owing(&stored.document, Some(&stored.etag), owes_accepted)
        }
        (None, Document::Missing | Document::Unreadable(_)) => original.into_owned(),
    }
}

/// Returns the document that the message carries if it can be used, otherwise the stored one.
async fn first_document(parsed: &Parsed<'_>) -> Result<Document, StorageError> {
    let Parsed { engine, message, delivery, .. } = parsed;
    let Some(id) = task_of(message) else { return Ok(Document::Missing) };
    let carried = message.as_ref().ok().and_then(|message| document_from_message(message, delivery));
    if let Some((document, etag)) = carried {
        // Clients see the address, so it must be the one of this storage.
        let address = engine.store.address(id).await.ok();
        if address.is_some() && address == document.return_uri {
            let stored = StoredDocument { document: document.clone(), etag: etag.to_owned() };
            return Ok(Document::Found(Box::new(stored)));
        }
    }
    read_document(engine, message, id).await
}

async fn read_document(
    engine: &Engine,
    message: &Result<TaskMessage, MessageError>,
    id: TaskId,
) -> Result<Document, StorageError> {
    match engine.store.read(id, None).await {
        Ok(Read::Found(stored)) => Ok(Document::Found(stored)),
        Ok(Read::Missing | Read::Unchanged) => Ok(Document::Missing),
        Err(StorageError::Unreadable { reason, .. }) => Ok(Document::Unreadable(reason)),
        // A usable message of this project had a document, so the container is missing for another reason. For a
        // message of the .NET API the document is created, and the container with it. Others are given up.
        Err(StorageError::NoContainer(_)) if !message.as_ref().is_ok_and(|message| message.is_ours) => {
            Ok(Document::Missing)
        }
        Err(error) => Err(error),
    }
}

/// Writes over version `etag`, or only if there is no document.
async fn write(engine: &Engine, document: &TaskStatus, etag: Option<&str>) -> Result<Write, StorageError> {
    match etag {
        Some(etag) => engine.store.replace(document, etag).await,
        None => engine.store.create(document).await,
    }
}
