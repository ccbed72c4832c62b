//! Responses of storage that a mutation changes before the component reads them.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response};
use models::Timestamp;

use super::{is_of_schedules, status};
use crate::call::Call;
use crate::edit::{Object, is_code, member, with_members};
use crate::mutation::Mutation;
use crate::record::Role;
use crate::scenario::{Op, TOLERATED_SKEW_MS};
use crate::watch::Source;
use crate::world::World;

/// The response that the component gets instead of `response`.
#[must_use]
pub fn falsified(
    world: &World,
    mutation: Mutation,
    source: Source,
    call: &Call,
    mut response: Response<Bytes>,
) -> Response<Bytes> {
    let status_code = response.status().as_u16();
    match (mutation, call.op, source.role) {
        (Mutation::IgnoreLoss, Op::UpdateMessage, Role::Worker)
            if status_code == 404 || status_code == 400 =>
        {
            let mut kept = status(204);
            let headers = kept.headers_mut();
            headers.insert("x-ms-popreceipt", HeaderValue::from_static("receipt-of-no-message"));
            headers
                .insert("x-ms-time-next-visible", HeaderValue::from_static("Fri, 01 Jan 2027 00:00:00 GMT"));
            kept
        }
        (Mutation::ContainerIsGone, _, Role::Worker) if is_code(&response, "ContainerNotFound") => {
            response.headers_mut().insert("x-ms-error-code", HeaderValue::from_static("BlobNotFound"));
            response
        }
        (Mutation::FireWhilePaused, Op::GetBlob, Role::Worker) if is_of_schedules(call) => {
            response.map(|body| without_member(&body, "PausedAt"))
        }
        (Mutation::MakeUpForSkipped, Op::GetBlob, Role::Worker) if is_of_schedules(call) => {
            let changed = |body: Bytes| {
                let text = String::from_utf8_lossy(&body);
                text.replace(r#""Missed":"Skip""#, r#""Missed":"All""#).into_bytes().into()
            };
            response.map(changed)
        }
        (Mutation::BelieveReceiver, Op::Receiver, Role::Worker) => status(200),
        (Mutation::HandlerErrorIsFinal, Op::Handler, Role::Worker) if status_code >= 500 => status(422),
        (Mutation::TakeOverEarly, Op::GetBlob, Role::Worker) if call.task.is_some() => {
            let skew = Duration::from_millis(TOLERATED_SKEW_MS);
            let tolerated = skew.saturating_sub(Duration::from_secs(world.knobs().visibility));
            response.map(|body| with_members(body, |document| start_earlier(document, tolerated)))
        }
        (Mutation::IgnoreRetryAt, Op::GetBlob, Role::Worker) if call.task.is_some() => {
            response.map(|body| with_members(body, |document| drop(document.remove("RetryAt"))))
        }
        (Mutation::LoseAcceptedNote, Op::GetMessages, Role::Worker) => {
            response.map(|body| without_member(&body, "AcceptedDue"))
        }
        (Mutation::IgnoreExpiry, Op::GetBlob | Op::GetMessages, Role::Worker) => {
            response.map(|body| without_member(&body, "StartBy"))
        }
        // Documents alone: the first attempt, which may be of the message, is allowed in any case.
        (Mutation::IgnoreMaxAttempts, Op::GetBlob, Role::Worker) => {
            response.map(|body| without_member(&body, "MaxAttempts"))
        }
        (Mutation::CountDeliveries, Op::GetBlob, Role::Worker) if call.task.is_some() => {
            let record = world.record.borrow();
            let of_task = record.messages.values().filter(|message| message.task == call.task);
            let deliveries = of_task.map(|message| message.deliveries).max().unwrap_or(0);
            response.map(|body| {
                with_members(body, |document| {
                    document.insert("AttemptsUsed".to_owned(), deliveries.saturating_sub(1).into());
                })
            })
        }
        (Mutation::AcceptOtherContent, Op::GetBlob, Role::Api) if call.task.is_some() => {
            response.map(|body| {
                let text = String::from_utf8_lossy(&body).replace("variant 0", "variant 1");
                text.into_bytes().into()
            })
        }
        _ => response,
    }
}

/// Moves the start of the running attempt back, by the difference of clocks for which the decision allows.
fn start_earlier(document: &mut Object, tolerated: Duration) {
    if member(document, "Status") != Some(1) {
        return;
    }
    let history = document.get_mut("History").and_then(serde_json::Value::as_array_mut);
    let start = history.and_then(|history| history.last_mut()?.get_mut("StartedAt"));
    let Some(start) = start else { return };
    if let Some(at) = start.as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
        *start = at.minus(tolerated).to_string().into();
    }
}

/// Renames a member in a document, or in the documents of messages, to one that means nothing.
fn without_member(body: &Bytes, name: &str) -> Bytes {
    match std::str::from_utf8(body) {
        Ok(text) => text.replace(name, &"x".repeat(name.len())).into_bytes().into(),
        Err(_) => body.clone(),
    }
}
