//! Put, get, peek, update, delete and clear messages.

use http::StatusCode;
use time::Duration;

use super::Context;
use crate::call::Call;
use crate::dates::{NEVER, http_date};
use crate::response::{ServiceError, ServiceResponse};
use crate::state::queue::Message;
use crate::state::{Change, Moment};
use crate::xml::{escape, leaves};

/// Largest text of a message, in bytes of UTF-8.
pub(crate) const MAX_TEXT: usize = 64 * 1024;
/// Largest request body; what is longer is refused before it is read as XML.
const MAX_BODY: usize = 131_584;
/// Longest time a message can be hidden, in seconds: 7 days.
const MAX_VISIBILITY: i64 = 7 * 24 * 60 * 60;
/// The time to live of a message if the request has none, in seconds.
const DEFAULT_TIME_TO_LIVE: i64 = MAX_VISIBILITY;
/// Most messages of one Get or Peek.
const MAX_COUNT: i64 = 32;

pub(super) fn put(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    call.check_length()?;
    let visibility = call.number("visibilitytimeout", 0, MAX_VISIBILITY)?.unwrap_or(0);
    // -1 never expires; 0 is not allowed.
    let time_to_live = match call.number("messagettl", -1, i64::from(u32::MAX))? {
        Some(0) => return Err(ServiceError::invalid_query("messagettl", "0")),
        Some(-1) => None,
        seconds => Some(seconds.unwrap_or(DEFAULT_TIME_TO_LIVE)),
    };
    if time_to_live.is_some_and(|ttl| visibility >= ttl) {
        return Err(ServiceError::invalid_query("visibilitytimeout", &visibility.to_string()));
    }
    let text = message_text(call)?.ok_or_else(|| {
        ServiceError::bad_request("InvalidXmlDocument", "XML specified is not syntactically valid.")
    })?;
    context.queue()?;
    let sequence = context.ids.next_sequence();
    let message = Message {
        sequence,
        id: context.ids.guid(),
        text,
        inserted: Moment(context.now),
        expires: time_to_live.map(|seconds| Moment(context.now.saturating_add(Duration::seconds(seconds)))),
        visible: Moment(context.now.saturating_add(Duration::seconds(visibility))),
        dequeue_count: 0,
        receipt: context.ids.receipt(sequence),
    };
    let mut body = String::from("<QueueMessagesList><QueueMessage>");
    write_ids(&mut body, &message);
    write_lease(&mut body, &message);
    body.push_str("</QueueMessage></QueueMessagesList>");
    store(context, message);
    Ok(ServiceResponse::xml(StatusCode::CREATED, &body))
}

pub(super) fn get(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let count = count(context.call)?;
    let visibility = context.call.number("visibilitytimeout", 1, MAX_VISIBILITY)?.unwrap_or(30);
    let now = context.now;
    let received: Vec<Message> = context.queue()?.visible(now).take(count).cloned().collect();
    let mut body = String::from("<QueueMessagesList>");
    for mut message in received {
        message.dequeue_count = message.dequeue_count.saturating_add(1);
        message.visible = Moment(now.saturating_add(Duration::seconds(visibility)));
        message.receipt = context.ids.receipt(message.sequence);
        body.push_str("<QueueMessage>");
        write_ids(&mut body, &message);
        write_lease(&mut body, &message);
        write_content(&mut body, &message);
        body.push_str("</QueueMessage>");
        store(context, message);
    }
    body.push_str("</QueueMessagesList>");
    Ok(ServiceResponse::xml(StatusCode::OK, &body).header("cache-control", "no-cache"))
}

pub(super) fn peek(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let count = count(context.call)?;
    let now = context.now;
    let mut body = String::from("<QueueMessagesList>");
    for message in context.queue()?.visible(now).take(count) {
        body.push_str("<QueueMessage>");
        write_ids(&mut body, message);
        write_content(&mut body, message);
        body.push_str("</QueueMessage>");
    }
    body.push_str("</QueueMessagesList>");
    Ok(ServiceResponse::xml(StatusCode::OK, &body).header("cache-control", "no-cache"))
}

pub(super) fn update(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    call.check_length()?;
    let visibility = call
        .number("visibilitytimeout", 0, MAX_VISIBILITY)?
        .ok_or_else(|| ServiceError::missing_query("visibilitytimeout"))?;
    let text = message_text(call)?;
    let mut message = held(context)?.clone();
    let visible = context.now.saturating_add(Duration::seconds(visibility));
    if message.expires.is_some_and(|expires| visible > expires.0) {
        return Err(ServiceError::invalid_query("visibilitytimeout", &visibility.to_string()));
    }
    message.visible = Moment(visible);
    message.receipt = context.ids.receipt(message.sequence);
    if let Some(text) = text {
        message.text = text;
    }
    let response = ServiceResponse::new(StatusCode::NO_CONTENT)
        .header("x-ms-popreceipt", &message.receipt)
        .header("x-ms-time-next-visible", &http_date(visible));
    store(context, message);
    Ok(response)
}

pub(super) fn delete(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let sequence = held(context)?.sequence;
    let (account, queue) = (context.call.target.account.clone(), context.call.target.name.clone());
    context.state.apply(Change::MessageGone { account, queue, sequence });
    Ok(ServiceResponse::new(StatusCode::NO_CONTENT))
}

pub(super) fn clear(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    context.queue()?;
    let (account, queue) = (context.call.target.account.clone(), context.call.target.name.clone());
    context.state.apply(Change::QueueCleared { account, queue });
    Ok(ServiceResponse::new(StatusCode::NO_CONTENT))
}

/// The message that the call names, if the call holds its newest receipt.
///
/// Azure responds `404` for a receipt that this message once had ("no message with a matching receipt was found") and
/// `400` for a receipt that it never had.
fn held<'a>(context: &'a mut Context<'_>) -> Result<&'a Message, ServiceError> {
    let call = context.call;
    let receipt = call.param("popreceipt").ok_or_else(|| ServiceError::missing_query("popreceipt"))?;
    let id = call.target.rest.as_deref().and_then(|rest| rest.strip_prefix("messages/")).unwrap_or_default();
    let not_found = || ServiceError::not_found("MessageNotFound", "The specified message does not exist.");
    let ids = context.ids.clone();
    let message = context.queue()?.find(id).ok_or_else(not_found)?;
    if message.receipt == receipt {
        return Ok(message);
    }
    if ids.is_receipt_of(receipt, message.sequence) {
        return Err(not_found());
    }
    Err(ServiceError::bad_request(
        "PopReceiptMismatch",
        "The specified pop receipt did not match the pop receipt for a dequeued message.",
    ))
}

fn store(context: &mut Context<'_>, message: Message) {
    let (account, queue) = (context.call.target.account.clone(), context.call.target.name.clone());
    context.state.apply(Change::Message { account, queue, message: Box::new(message) });
}

fn count(call: &Call) -> Result<usize, ServiceError> {
    Ok(call.number("numofmessages", 1, MAX_COUNT)?.and_then(|count| usize::try_from(count).ok()).unwrap_or(1))
}

/// The text in the request's body; `None` when there is no body.
fn message_text(call: &Call) -> Result<Option<String>, ServiceError> {
    if call.body.is_empty() {
        return Ok(None);
    }
    if call.body.len() > MAX_BODY {
        return Err(ServiceError::body_too_large(MAX_BODY));
    }
    let mut leaves = leaves(&call.body, "QueueMessage").ok_or_else(|| {
        ServiceError::bad_request("InvalidXmlDocument", "XML specified is not syntactically valid.")
    })?;
    let text = leaves.remove("MessageText").ok_or_else(|| {
        ServiceError::bad_request(
            "MissingRequiredXmlNode",
            "A required XML node was not specified in the request body.",
        )
        .detail("XmlNodeName", "MessageText")
    })?;
    if text.len() > MAX_TEXT {
        return Err(ServiceError::bad_request(
            "MessageTooLarge",
            "The message exceeds the maximum allowed size.",
        )
        .detail("MaxLimit", &MAX_TEXT.to_string()));
    }
    Ok(Some(text))
}

fn write_ids(body: &mut String, message: &Message) {
    let expires = message.expires.map_or_else(|| NEVER.to_owned(), |expires| http_date(expires.0));
    body.push_str(&format!(
        "<MessageId>{}</MessageId><InsertionTime>{}</InsertionTime><ExpirationTime>{expires}</ExpirationTime>",
        message.id,
        http_date(message.inserted.0)
    ));
}

fn write_lease(body: &mut String, message: &Message) {
    body.push_str(&format!(
        "<PopReceipt>{}</PopReceipt><TimeNextVisible>{}</TimeNextVisible>",
        escape(&message.receipt),
        http_date(message.visible.0)
    ));
}

fn write_content(body: &mut String, message: &Message) {
    body.push_str(&format!(
        "<DequeueCount>{}</DequeueCount><MessageText>{}</MessageText>",
        message.dequeue_count,
        escape(&message.text)
    ));
}
