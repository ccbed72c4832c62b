//! Parses the responses of the Queue service.

use time::OffsetDateTime;

use super::{LeaseLost, PeekedMessage, PutMessage, ReceivedMessage, RenewedLease};
use crate::moment::parse_http_date;
use crate::response::ServiceResponse;
use crate::xml::{Fields, Shape};
use crate::{Error, Secret};

const MESSAGES: Shape = Shape {
    root: "QueueMessagesList",
    record: "QueueMessage",
    leaves: &["MessageId", "InsertionTime", "PopReceipt", "TimeNextVisible", "DequeueCount", "MessageText"],
};

pub(super) fn create(response: &ServiceResponse) -> Result<(), Error> {
    match response.status {
        201 | 204 => Ok(()),
        // It exists with other metadata, which is not used.
        409 if response.code() == "QueueAlreadyExists" => Ok(()),
        _ => Err(response.error()),
    }
}

pub(super) fn delete_queue(response: &ServiceResponse) -> Result<(), Error> {
    match response.status {
        204 => Ok(()),
        404 if response.code() == "QueueNotFound" => Ok(()),
        _ => Err(response.error()),
    }
}

pub(super) fn clear(response: &ServiceResponse) -> Result<(), Error> {
    if response.status == 204 { Ok(()) } else { Err(response.error()) }
}

pub(super) fn count(response: &ServiceResponse) -> Result<u64, Error> {
    if response.status != 200 {
        return Err(response.error());
    }
    let count = response.required("x-ms-approximate-messages-count")?.trim().parse();
    count.map_err(|_| response.unexpected("a count that is no number"))
}

/// The fields of one message in a response.
struct Entry<'a> {
    response: &'a ServiceResponse,
    fields: &'a Fields,
}

impl Entry<'_> {
    fn text(&self, name: &str) -> Result<&str, Error> {
        self.fields.get(name).ok_or_else(|| self.response.unexpected(format!("a message without {name}")))
    }

    fn date(&self, name: &str) -> Result<OffsetDateTime, Error> {
        parse_http_date(self.text(name)?)
            .ok_or_else(|| self.response.unexpected(format!("a message whose {name} is no date")))
    }

    fn dequeue_count(&self) -> Result<u32, Error> {
        let count = self.text("DequeueCount")?.trim().parse();
        count.map_err(|_| self.response.unexpected("a message whose DequeueCount is no number"))
    }

    /// The text, empty if there is none: one unusual message must not make the others of the response unreadable.
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
    response: &ServiceResponse,
    status: u16,
    entry: fn(&Entry<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    if response.status != status {
        return Err(response.error());
    }
    let document = response.xml(MESSAGES)?;
    document.records.iter().map(|fields| entry(&Entry { response, fields })).collect()
}

pub(super) fn sent(response: &ServiceResponse) -> Result<(), Error> {
    if response.status == 201 { Ok(()) } else { Err(response.error()) }
}

pub(super) fn put(response: &ServiceResponse) -> Result<PutMessage, Error> {
    let mut put = entries(response, 201, put_message)?;
    put.pop().ok_or_else(|| response.unexpected("no message"))
}

pub(super) fn get(response: &ServiceResponse) -> Result<Vec<ReceivedMessage>, Error> {
    entries(response, 200, message)
}

pub(super) fn peek(response: &ServiceResponse) -> Result<Vec<PeekedMessage>, Error> {
    entries(response, 200, peeked_message)
}

/// Whether the message is deleted, or the pop receipt is not the newest. Services differ in which code they send.
fn is_lost(response: &ServiceResponse) -> bool {
    match response.status {
        404 => response.code() == "MessageNotFound",
        400 => response.code() == "PopReceiptMismatch",
        _ => false,
    }
}

pub(super) fn update(response: &ServiceResponse) -> Result<Result<RenewedLease, LeaseLost>, Error> {
    match response.status {
        204 => {
            let next_visible = response.required("x-ms-time-next-visible")?;
            Ok(Ok(RenewedLease {
                pop_receipt: Secret::new(response.required("x-ms-popreceipt")?),
                next_visible_at: parse_http_date(next_visible)
                    .ok_or_else(|| response.unexpected("a date that is none"))?,
            }))
        }
        _ if is_lost(response) => Ok(Err(LeaseLost)),
        _ => Err(response.error()),
    }
}

pub(super) fn delete(response: &ServiceResponse) -> Result<Result<(), LeaseLost>, Error> {
    match response.status {
        204 => Ok(Ok(())),
        // An earlier try of this call has deleted it.
        404 if response.ambiguous && is_lost(response) => Ok(Ok(())),
        _ if is_lost(response) => Ok(Err(LeaseLost)),
        _ => Err(response.error()),
    }
}
