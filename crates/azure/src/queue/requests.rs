//! Builds the calls of the Queue service.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;

use super::{MAX_BODY_BYTES, MAX_MESSAGES, MAX_TEXT_BYTES, MAX_VISIBILITY, TimeToLive};
use crate::call::{Call, Service};
use crate::moment::seconds_up;
use crate::retry::Repeat;
use crate::{Error, ErrorKind, Secret, encode, xml};

/// What surrounds the text of a message in the body of a request.
const BEFORE_TEXT: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessage><MessageText>";
const AFTER_TEXT: &str = "</MessageText></QueueMessage>";

fn queue_call(operation: &'static str, method: Method, queue: &str) -> Call {
    Call::new(operation, Service::Queue, method, ["/", &encode::value(queue)].concat())
}

fn messages_call(operation: &'static str, method: Method, queue: &str) -> Call {
    Call::new(operation, Service::Queue, method, ["/", &encode::value(queue), "/messages"].concat())
}

fn message_call(operation: &'static str, method: Method, queue: &str, id: &str, receipt: &Secret) -> Call {
    let path = ["/", &encode::value(queue), "/messages/", &encode::value(id)].concat();
    Call::new(operation, Service::Queue, method, path).query("popreceipt", receipt.expose().to_owned())
}

fn refused(operation: &'static str, status: u16, code: &str, what: String) -> Error {
    Error::new(operation, ErrorKind::Refused { status, code: code.to_owned() }).with(what)
}

fn visibility(operation: &'static str, visibility: Duration) -> Result<u64, Error> {
    if visibility > MAX_VISIBILITY {
        let what = format!("a visibility timeout above {} s", MAX_VISIBILITY.as_secs());
        return Err(refused(operation, 400, "OutOfRangeQueryParameterValue", what));
    }
    Ok(seconds_up(visibility))
}

fn body(operation: &'static str, text: &str) -> Result<String, Error> {
    if text.len() > MAX_TEXT_BYTES {
        let what = format!("a text of {} bytes is above the limit of {MAX_TEXT_BYTES}", text.len());
        return Err(refused(operation, 413, "RequestBodyTooLarge", what));
    }
    let mut body = String::with_capacity(BEFORE_TEXT.len() + text.len() + text.len() / 8 + AFTER_TEXT.len());
    body.push_str(BEFORE_TEXT);
    xml::push_escaped(&mut body, text).map_err(|character| {
        let what = format!("the text holds U+{:04X}, which XML cannot carry", u32::from(character));
        refused(operation, 400, "InvalidXmlNodeValue", what)
    })?;
    body.push_str(AFTER_TEXT);
    if body.len() > MAX_BODY_BYTES {
        let what = format!("a text of {} bytes as XML is above the limit of {MAX_BODY_BYTES}", body.len());
        return Err(refused(operation, 413, "RequestBodyTooLarge", what));
    }
    Ok(body)
}

pub(super) fn create(queue: &str) -> Call {
    queue_call("Create Queue", Method::PUT, queue)
}

pub(super) fn delete_queue(queue: &str) -> Call {
    queue_call("Delete Queue", Method::DELETE, queue)
}

pub(super) fn metadata(queue: &str) -> Call {
    queue_call("Get Queue Metadata", Method::GET, queue).query("comp", "metadata")
}

pub(super) fn put(
    queue: &str,
    text: &str,
    hidden: Duration,
    time_to_live: TimeToLive,
) -> Result<Call, Error> {
    const OPERATION: &str = "Put Message";
    let time_to_live = match time_to_live {
        TimeToLive::Forever => Cow::Borrowed("-1"),
        TimeToLive::Seconds(seconds) => seconds.to_string().into(),
    };
    Ok(messages_call(OPERATION, Method::POST, queue)
        .query("visibilitytimeout", visibility(OPERATION, hidden)?.to_string())
        .query("messagettl", time_to_live)
        .xml_body(body(OPERATION, text)?)
        .repeat(Repeat::MayDuplicate))
}

pub(super) fn get(queue: &str, count: u32, hidden: Duration) -> Result<Call, Error> {
    const OPERATION: &str = "Get Messages";
    // If the response is lost, the messages become visible again after the visibility timeout.
    Ok(messages_call(OPERATION, Method::GET, queue)
        .query("numofmessages", count.clamp(1, MAX_MESSAGES).to_string())
        .query("visibilitytimeout", visibility(OPERATION, hidden)?.max(1).to_string()))
}

pub(super) fn peek(queue: &str, count: u32) -> Call {
    messages_call("Peek Messages", Method::GET, queue)
        .query("peekonly", "true")
        .query("numofmessages", count.clamp(1, MAX_MESSAGES).to_string())
}

pub(super) fn update(
    queue: &str,
    id: &str,
    receipt: &Secret,
    hidden: Duration,
    text: Option<&str>,
) -> Result<Call, Error> {
    const OPERATION: &str = "Update Message";
    let call = message_call(OPERATION, Method::PUT, queue, id, receipt)
        .query("visibilitytimeout", visibility(OPERATION, hidden)?.to_string())
        // A lost response loses the new pop receipt, and a second try would use the old one.
        .repeat(Repeat::OnlyWithoutEffect);
    Ok(match text {
        Some(text) => call.xml_body(body(OPERATION, text)?),
        None => call,
    })
}

pub(super) fn delete(queue: &str, id: &str, receipt: &Secret) -> Call {
    message_call("Delete Message", Method::DELETE, queue, id, receipt)
}

pub(super) fn clear(queue: &str) -> Call {
    messages_call("Clear Messages", Method::DELETE, queue)
}
