//! One delivery, from its text to its end.

use lifecycle::delivery::{Delivery, DocumentRead, Step, decide, document_from_message};
use lifecycle::redelivery::{backed_off, survived};
use models::{DeliveryId, DeliveryNote, MessageError, TaskId, TaskMessage, TaskStatus};
use service::env::Instant;
use service::log::Line;
use storage::{QueueName, Read, ReceivedMessage, StorageError, StoredDocument, Write};

use crate::attempt::Attempt;
use crate::control::Released;
use crate::counts::{Report, Verdict};
use crate::engine::Engine;
use crate::poison::poison;
use crate::redelivery;
use crate::run::run;

/// How often a document that keeps changing under our writes is read again before the message is left to
/// its next delivery.
const TRIES: u32 = 6;

/// What is known of the document under the message's task id.
enum Known {
    /// What the message says, of the version it names; storage confirms it with the first write.
    Presumed(Box<StoredDocument>),
    Stored(Box<StoredDocument>),
    Missing,
    Unreadable(String),
}

impl Known {
    fn found(&self) -> DocumentRead<'_> {
        match self {
            Self::Presumed(stored) | Self::Stored(stored) => DocumentRead::Found(&stored.document),
            Self::Missing => DocumentRead::Missing,
            Self::Unreadable(reason) => DocumentRead::Unreadable(reason),
        }
    }

    fn etag(&self) -> Option<&str> {
        match self {
            Self::Presumed(stored) | Self::Stored(stored) => Some(&stored.etag),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }
}

/// Does what one delivery asks for. Never fails: whatever happens ends in a verdict, and a message that
/// is not deleted comes back when its lease runs out, or what it was given back for.
pub(crate) async fn deliver(
    engine: &Engine,
    received: ReceivedMessage,
    held_since: Instant,
    released: Released,
) -> Report {
    let started = engine.env.instant();
    let (mut received, mut held_since) = (received, held_since);
    let note = DeliveryNote::of(&received.text, received.dequeue_count);
    let mut kept = survived(received.dequeue_count, note);
    let mut task_id = None;
    let performed = match redelivery::take_up(engine, &mut received, &mut held_since, &mut kept).await {
        Ok(None) => {
            let message = TaskMessage::parse(&received.text);
            task_id = task_of(&message);
            perform(engine, &message, &received, held_since, released).await
        }
        Ok(Some(report)) => Ok(report),
        Err(error) => Err(error),
    };
    match performed {
        Ok(report) => {
            let verdict = report.verdict;
            if matches!(verdict, Verdict::Discarded | Verdict::Deferred | Verdict::Lost) {
                let milliseconds = engine.env.instant().since(started).as_millis();
                engine.env.log(
                    &Line::info("delivery ended without work")
                        .with("task_id", task_id.map(|id| id.to_string()))
                        .with("outcome", verdict.name())
                        .with("duration_ms", u64::try_from(milliseconds).unwrap_or(u64::MAX)),
                );
            }
            report
        }
        Err(error) => {
            let rest = engine.note("a delivery could not be dealt with; its message comes back", &error);
            redelivery::leave(engine, &received, kept, rest).await;
            Report { verdict: Verdict::Lost, rest }
        }
    }
}

async fn perform(
    engine: &Engine,
    message: &Result<TaskMessage, MessageError>,
    received: &ReceivedMessage,
    held_since: Instant,
    released: Released,
) -> Result<Report, StorageError> {
    let delivery = Delivery {
        id: DeliveryId { message_id: received.message_id.clone(), dequeue_count: received.dequeue_count },
        inserted_at: received.inserted_at,
        note: DeliveryNote::of(&received.text, received.dequeue_count),
    };
    let mut known = first_look(engine, message, &delivery).await?;
    for _ in 0..TRIES {
        let now = engine.env.timestamp();
        let step = decide(message, known.found(), &delivery, &engine.policy, now);
        let refused = match step {
            Step::Run(document) => match write(engine, &document, known.etag()).await? {
                Write::Done(etag) => {
                    let stored = StoredDocument { document: *document, etag };
                    let attempt = Attempt::new(engine, received.clone(), delivery.id, stored, held_since);
                    return Ok(run(attempt, released).await.into());
                }
                Write::Conflict => true,
            },
            Step::Resume => {
                let (Known::Stored(stored) | Known::Presumed(stored)) = known else {
                    return Ok(Verdict::Lost.into());
                };
                let attempt = Attempt::new(engine, received.clone(), delivery.id, *stored, held_since);
                return Ok(run(attempt, released).await.into());
            }
            Step::Cancel(document) => match write(engine, &document, known.etag()).await? {
                Write::Done(_) => {
                    engine.discard(received).await;
                    return Ok(Verdict::Cancelled.into());
                }
                Write::Conflict => true,
            },
            Step::Poison { reason, document } => {
                let refused = match document {
                    Some(document) => write(engine, &document, known.etag()).await? == Write::Conflict,
                    None => false,
                };
                if !refused {
                    poison(engine, QueueName::Tasks, received, &reason).await?;
                    return Ok(Verdict::Poisoned.into());
                }
                refused
            }
            Step::Discard(_) => {
                engine.discard(received).await;
                return Ok(Verdict::Discarded.into());
            }
            Step::Schedule(delay) => {
                let original = DeliveryNote::removed_from(&received.text);
                let text = match (TaskMessage::text_to_forward(&original), &known) {
                    (Some(text), _) => text,
                    (None, Known::Stored(stored) | Known::Presumed(stored)) => {
                        TaskMessage::text_for(&stored.document, Some(&stored.etag))
                    }
                    (None, Known::Missing | Known::Unreadable(_)) => original.into_owned(),
                };
                engine.queue.send(QueueName::Scheduled, &text, delay).await?;
                engine.discard(received).await;
                return Ok(Verdict::Deferred.into());
            }
            Step::Postpone(delay) => {
                let note = survived(received.dequeue_count, delivery.note);
                return Ok(redelivery::defer(engine, received, delay, note).await);
            }
            Step::BackOff { wait, attempt } => {
                let note = backed_off(received.dequeue_count, attempt);
                return Ok(redelivery::defer(engine, received, wait, note).await);
            }
            Step::Leave => return Ok(Verdict::Lost.into()),
        };
        if refused && let Some(id) = task_of(message) {
            known = look_up(engine, message, id).await?;
        }
    }
    Ok(Verdict::Lost.into())
}

/// What the message itself says where that is enough, otherwise what is stored.
async fn first_look(
    engine: &Engine,
    message: &Result<TaskMessage, MessageError>,
    delivery: &Delivery,
) -> Result<Known, StorageError> {
    let Some(id) = task_of(message) else { return Ok(Known::Missing) };
    if let Some((document, etag)) =
        message.as_ref().ok().and_then(|message| document_from_message(message, delivery))
    {
        // The address goes into the document and from there to clients; only our own will do.
        let address = engine.store.address(id).await.ok();
        if address.is_some() && address == document.return_uri {
            let stored = StoredDocument { document: document.clone(), etag: etag.to_owned() };
            return Ok(Known::Presumed(Box::new(stored)));
        }
    }
    look_up(engine, message, id).await
}

async fn look_up(
    engine: &Engine,
    message: &Result<TaskMessage, MessageError>,
    id: TaskId,
) -> Result<Known, StorageError> {
    match engine.store.read(id, None).await {
        Ok(Read::Found(stored)) => Ok(Known::Stored(stored)),
        Ok(Read::Missing | Read::Unchanged) => Ok(Known::Missing),
        Err(StorageError::Unreadable { reason, .. }) => Ok(Known::Unreadable(reason)),
        // A usable message of ours had a document, so that the container is missing for another reason. Of
        // one of the .NET API the document is made, and the container with it; others are given up.
        Err(StorageError::NoContainer(_)) if !message.as_ref().is_ok_and(|message| message.is_ours) => {
            Ok(Known::Missing)
        }
        Err(error) => Err(error),
    }
}

/// Writes over version `etag`, or only if there is nothing yet.
async fn write(engine: &Engine, document: &TaskStatus, etag: Option<&str>) -> Result<Write, StorageError> {
    match etag {
        Some(etag) => engine.store.replace(document, etag).await,
        None => engine.store.create(document).await,
    }
}

fn task_of(message: &Result<TaskMessage, MessageError>) -> Option<TaskId> {
    match message {
        Ok(message) => Some(message.task_id),
        Err(MessageError::Unusable { task_id, .. }) => Some(*task_id),
        Err(MessageError::Unreadable(_)) => None,
    }
}
