//! What the answers of the Queue service mean.

use time::OffsetDateTime;

use super::{LeaseLost, PeekedMessage, PutMessage, ReceivedMessage, RenewedLease};
use crate::answer::Answer;
use crate::moment::parse_http_date;
use crate::xml::{Fields, Shape};
use crate::{Error, Secret};

const MESSAGES: Shape = Shape {
    root: "QueueMessagesList",
    record: "QueueMessage",
    leaves: &["MessageId", "InsertionTime", "PopReceipt", "TimeNextVisible", "DequeueCount", "MessageText"],
};

pub(super) fn create(answer: &Answer) -> Result<(), Error> {
    match answer.status {
        201 | 204 => Ok(()),
        // It exists with other metadata, which nothing here depends on.
        409 if answer.code() == "QueueAlreadyExists" => Ok(()),
        _ => Err(answer.error()),
    }
}

pub(super) fn delete_queue(answer: &Answer) -> Result<(), Error> {
    match answer.status {
        204 => Ok(()),
        404 if answer.code() == "QueueNotFound" => Ok(()),
        _ => Err(answer.error()),
    }
}

pub(super) fn clear(answer: &Answer) -> Result<(), Error> {
    if answer.status == 204 { Ok(()) } else { Err(answer.error()) }
}

pub(super) fn count(answer: &Answer) -> Result<u64, Error> {
    if answer.status != 200 {
        return Err(answer.error());
    }
    let count = answer.required("x-ms-approximate-messages-count")?.trim().parse();
    count.map_err(|_| answer.unexpected("a count that is no number"))
}

/// One message's fields in an answer.
struct Entry<'a> {
    answer: &'a Answer,
    fields: &'a Fields,
}

impl Entry<'_> {
    fn text(&self, name: &str) -> Result<&str, Error> {
        self.fields.get(name).ok_or_else(|| self.answer.unexpected(format!("a message without {name}")))
    }

    fn date(&self, name: &str) -> Result<OffsetDateTime, Error> {
        parse_http_date(self.text(name)?)
            .ok_or_else(|| self.answer.unexpected(format!("a message whose {name} is no date")))
    }

    fn dequeue_count(&self) -> Result<u32, Error> {
        let count = self.text("DequeueCount")?.trim().parse();
        count.map_err(|_| self.answer.unexpected("a message whose DequeueCount is no number"))
    }

    /// Whatever somebody put must not stop the messages around it: what is no text is an empty one.
    fn message_text(&self) -> String {
        self.fields.get("MessageText").unwrap_or_default().to_owned()
    }

    fn receipt(&self) -> Result<Secret, Error> {
        self.text("PopReceipt").map(Secret::new)
    }
}

fn put_message(entry: &Entry<'_>) -> Result<PutMessage, Error> {
    Ok(PutMessage {
        message_id: entry.text("MessageId")?.to_owned(),
        pop_receipt: entry.receipt()?,
        inserted_at: entry.date("InsertionTime")?,
        next_visible_at: entry.date("TimeNextVisible")?,
    })
}

fn message(entry: &Entry<'_>) -> Result<ReceivedMessage, Error> {
    Ok(ReceivedMessage {
        message_id: entry.text("MessageId")?.to_owned(),
        pop_receipt: entry.receipt()?,
        text: entry.message_text(),
        dequeue_count: entry.dequeue_count()?,
        inserted_at: entry.date("InsertionTime")?,
        next_visible_at: entry.date("TimeNextVisible")?,
    })
}

fn peeked_message(entry: &Entry<'_>) -> Result<PeekedMessage, Error> {
    Ok(PeekedMessage {
        message_id: entry.text("MessageId")?.to_owned(),
        text: entry.message_text(),
        dequeue_count: entry.dequeue_count()?,
        inserted_at: entry.date("InsertionTime")?,
    })
}

fn entries<T>(
    answer: &Answer,
    status: u16,
    entry: fn(&Entry<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    if answer.status != status {
        return Err(answer.error());
    }
    let document = answer.xml(MESSAGES)?;
    document.records.iter().map(|fields| entry(&Entry { answer, fields })).collect()
}

pub(super) fn put(answer: &Answer) -> Result<PutMessage, Error> {
    let mut put = entries(answer, 201, put_message)?;
    put.pop().ok_or_else(|| answer.unexpected("no message"))
}

pub(super) fn get(answer: &Answer) -> Result<Vec<ReceivedMessage>, Error> {
    entries(answer, 200, message)
}

pub(super) fn peek(answer: &Answer) -> Result<Vec<PeekedMessage>, Error> {
    entries(answer, 200, peeked_message)
}

/// The message is gone, or the receipt is not the newest: services differ in which they say when.
fn is_lost(answer: &Answer) -> bool {
    match answer.status {
        404 => answer.code() == "MessageNotFound",
        400 => answer.code() == "PopReceiptMismatch",
        _ => false,
    }
}

pub(super) fn update(answer: &Answer) -> Result<Result<RenewedLease, LeaseLost>, Error> {
    match answer.status {
        204 => {
            let next_visible = answer.required("x-ms-time-next-visible")?;
            Ok(Ok(RenewedLease {
                pop_receipt: Secret::new(answer.required("x-ms-popreceipt")?),
                next_visible_at: parse_http_date(next_visible)
                    .ok_or_else(|| answer.unexpected("a date that is none"))?,
            }))
        }
        _ if is_lost(answer) => Ok(Err(LeaseLost)),
        _ => Err(answer.error()),
    }
}

pub(super) fn delete(answer: &Answer) -> Result<Result<(), LeaseLost>, Error> {
    match answer.status {
        204 => Ok(Ok(())),
        // Gone because of the first try.
        404 if answer.ambiguous && is_lost(answer) => Ok(Ok(())),
        _ if is_lost(answer) => Ok(Err(LeaseLost)),
        _ => Err(answer.error()),
    }
}
