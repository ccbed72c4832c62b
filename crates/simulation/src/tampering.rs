//! Makes a [`Mutation`] on the way between a component and storage.

mod falsified;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use httpdate::fmt_http_date;
use models::TaskId;

use crate::call::{Call, QueueKind, TASK_QUEUES};
use crate::edit::{Object, changed, ends_with, member};
use crate::mutation::{Memory, Mutation};
use crate::pause::PAUSE_BLOB;
use crate::record::announcements::note_of;
use crate::record::events::EventKey;
use crate::record::schedules::{SCHEDULES_BLOB, wake_up_of};
use crate::record::{Digest, Document, Role};
use crate::requests;
use crate::scenario::Op;
use crate::watch::Source;
use crate::world::World;
use crate::xml::{text, texts};

pub use falsified::falsified;

/// Lets `request` reach storage, with the mistake. `plain` applies a request without one.
pub fn apply(
    world: &World,
    mutation: Mutation,
    source: Source,
    call: &Call,
    mut request: Request<Bytes>,
    plain: &dyn Fn(Request<Bytes>) -> Response<Bytes>,
) -> Response<Bytes> {
    if let Some(response) = instead(world, mutation, source, call, &request) {
        return response;
    }
    delete_early(world, mutation, source, call, &request);
    let is_worker = source.role == Role::Worker;
    match (mutation, call.op) {
        (Mutation::DeleteBeforeReplay, Op::GetMessages) if source.role == Role::Api => {
            let response = plain(request);
            let ids = texts(response.body(), "MessageId");
            for (id, receipt) in ids.into_iter().zip(texts(response.body(), "PopReceipt")) {
                observed(world, source, requests::delete_message("taskqueue-poison", &id, &receipt));
            }
            return response;
        }
        (Mutation::FireUnderRandomId, Op::PutStatus)
            if is_worker
                && request.headers().contains_key("if-none-match")
                && request.body().windows(13).any(|part| part == b"of a schedule") =>
        {
            return observed(world, source, with_random_id(request, call, source.now));
        }
        (Mutation::OverwriteSchedules, Op::PutAttachment) if is_worker && is_of_schedules(call) => {
            request.headers_mut().remove("if-match");
            return observed(world, source, request);
        }
        _ => {}
    }
    if is_changed(world, mutation, source, call, &mut request) {
        world.cloud.borrow().sign(&mut request, world.storage_clock());
    }
    let response = plain(request);
    remember(&mut world.memory.borrow_mut(), call, &response);
    response
}

/// The response to a request that the mistake keeps from storage.
fn instead(
    world: &World,
    mutation: Mutation,
    source: Source,
    call: &Call,
    request: &Request<Bytes>,
) -> Option<Response<Bytes>> {
    const NO_MESSAGES: &str = "<QueueMessagesList></QueueMessagesList>";
    let is_worker = source.role == Role::Worker;
    match (mutation, call.op) {
        (_, Op::PutMessage) if is_message_forgotten(mutation, source, call, request) => {
            Some(put_message_done())
        }
        (_, Op::PutStatus) if is_document_forgotten(mutation, source, request) => Some(put_blob_done()),
        (Mutation::LeavePartsApart, Op::JoinParts) => Some(put_blob_done()),
        (Mutation::IgnorePause, Op::GetBlob) if is_worker && call.blob.as_deref() == Some(PAUSE_BLOB) => {
            Some(blob_not_found())
        }
        (Mutation::NeverWakeUp, Op::GetBlob) if is_worker && is_of_schedules(call) => {
            let record = world.record.borrow();
            let is_any_left = record.messages.values().any(|it| wake_up_of(&it.text).is_some());
            (!is_any_left).then(blob_not_found)
        }
        (Mutation::NeverDelete, Op::DeleteMessage) if is_worker => Some(status(204)),
        (Mutation::LookWhenIdle, Op::GetMessages) => {
            let running = world.record.borrow().running.get(&source.instance).copied();
            running.is_some_and(|running| running > 0).then(|| xml(NO_MESSAGES))
        }
        (Mutation::NeverTakeLow, Op::GetMessages) if call.queue_name == TASK_QUEUES[2] => {
            is_early(world).then(|| xml(NO_MESSAGES))
        }
        (Mutation::NeverRenew, Op::UpdateMessage) if is_worker => {
            let seconds = visibility(request);
            (seconds == world.knobs().visibility).then(|| renewed(world, call, seconds))
        }
        (Mutation::NeverSweep, Op::ListBlobs) if is_worker => {
            Some(xml("<EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>"))
        }
        _ => None,
    }
}

/// Whether the message is believed to be put although it is not.
fn is_message_forgotten(mutation: Mutation, source: Source, call: &Call, request: &Request<Bytes>) -> bool {
    let (is_api, is_worker) = (source.role == Role::Api, source.role == Role::Worker);
    let is_poison = call.queue == Some(QueueKind::Poison);
    let message = || text(request.body(), "MessageText");
    match mutation {
        Mutation::AcceptWithoutMessage => is_api,
        Mutation::PoisonWithoutCopy => is_poison,
        Mutation::ForgetEvent => is_worker && call.queue == Some(QueueKind::Events),
        Mutation::GiveUpEventSilently => is_poison && message().contains("EventOf"),
        Mutation::ForgetAccepted => is_api && is_sink_event(request, "Accepted"),
        Mutation::ForgetOwedAccepted => is_worker && is_sink_event(request, "Accepted"),
        Mutation::ForgetStarted => is_sink_event(request, "Started"),
        Mutation::NeverWakeUp => is_worker && wake_up_of(&message()).is_some(),
        _ => false,
    }
}

/// Whether the document is believed to be stored although it is not.
fn is_document_forgotten(mutation: Mutation, source: Source, request: &Request<Bytes>) -> bool {
    match mutation {
        Mutation::AcceptWithoutDocument => source.role == Role::Api,
        Mutation::ForgetCancel => source.role == Role::Api && is_cancel(request.body()),
        Mutation::ForgetOutcome => source.role == Role::Worker && is_outcome(request.body()),
        _ => false,
    }
}

/// Deletes messages that the request should precede.
fn delete_early(world: &World, mutation: Mutation, source: Source, call: &Call, request: &Request<Bytes>) {
    if source.role != Role::Worker {
        return;
    }
    match (mutation, call.op) {
        (Mutation::DeleteBeforeEvent | Mutation::DeleteBeforeSinkEvent, Op::PutMessage)
            if call.queue == Some(QueueKind::Events) =>
        {
            let event = EventKey::of_message(&text(request.body(), "MessageText"));
            let is_for_sink = mutation == Mutation::DeleteBeforeSinkEvent;
            let event = event.filter(|event| event.is_for_sink == is_for_sink);
            delete_held(world, source, event.map(|event| event.task));
        }
        (Mutation::DeleteBeforeWrite, Op::PutStatus) if is_outcome(request.body()) => {
            delete_held(world, source, call.task);
        }
        (Mutation::DeleteBeforeSchedules, Op::PutAttachment) if is_of_schedules(call) => {
            delete_held_wake_ups(world, source);
        }
        _ => {}
    }
}

/// Changes a request; whether it did.
fn is_changed(
    world: &World,
    mutation: Mutation,
    source: Source,
    call: &Call,
    request: &mut Request<Bytes>,
) -> bool {
    let is_worker = source.role == Role::Worker;
    match (mutation, call.op) {
        (Mutation::IgnoreConditions, Op::PutStatus) => drop_conditions(request),
        (Mutation::ClaimWithoutCondition, Op::PutAttachment) if source.role == Role::Api => {
            drop_conditions(request);
        }
        (Mutation::PoisonWithoutReason, Op::PutMessage) if call.queue == Some(QueueKind::Poison) => {
            *request = requests::put_message("taskqueue-poison", &without_reason(request.body()));
        }
        (Mutation::TakeLowFirst, Op::GetMessages | Op::UpdateMessage | Op::DeleteMessage)
            if is_worker && is_early(world) =>
        {
            *request = with_exchanged_queue(std::mem::take(request));
        }
        (Mutation::KeepOldReceipt, Op::UpdateMessage | Op::DeleteMessage) if is_worker => {
            let id = call.message.clone().unwrap_or_default();
            let first = world.memory.borrow().receipts.get(&id).map(|(first, _)| first.clone());
            let Some(first) = first else { return false };
            *request = match call.op {
                Op::UpdateMessage => {
                    requests::update_message(&call.queue_name, &id, &first, visibility(request))
                }
                _ => requests::delete_message(&call.queue_name, &id, &first),
            };
        }
        (Mutation::ShareResultName, Op::PutAttachment | Op::PutPart | Op::JoinParts | Op::PutStatus) => {
            *request = with_shared_name(std::mem::take(request));
        }
        (Mutation::CountReleased, Op::PutStatus) if is_worker => {
            *request = changed(std::mem::take(request), count_released);
        }
        (Mutation::ForgetProcessEnds, Op::PutStatus) if is_worker => {
            *request = changed(std::mem::take(request), forget_process_ends);
        }
        (Mutation::InterruptionIsFinal, Op::PutStatus) if is_worker => {
            *request = changed(std::mem::take(request), fail_interrupted);
        }
        (Mutation::ForgetSurvival, Op::UpdateMessage)
            if is_worker && note_of(request.body()).is_some_and(|(_, lost)| lost == 0) =>
        {
            *request.body_mut() = Bytes::new();
        }
        _ => return false,
    }
    true
}

fn drop_conditions(request: &mut Request<Bytes>) {
    for name in ["if-match", "if-none-match"] {
        request.headers_mut().remove(name);
    }
}

fn count_released(document: &mut Object) {
    if ends_with(document, 0, "Released") {
        let used = member(document, "AttemptsUsed").unwrap_or(0);
        document.insert("AttemptsUsed".to_owned(), (used + 1).into());
    }
}

fn forget_process_ends(document: &mut Object) {
    let history = document.get_mut("History").and_then(serde_json::Value::as_array_mut);
    for record in history.into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
        if record.get("Outcome").and_then(serde_json::Value::as_str) == Some("Released") {
            record.remove("Error");
        }
    }
}

fn fail_interrupted(document: &mut Object) {
    if member(document, "Status") == Some(2) && ends_with(document, 1, "Abandoned") {
        document.insert("Status".to_owned(), 3.into());
        let error = serde_json::json!({ "Code": "Interrupted", "Message": "a worker was lost" });
        document.insert("Error".to_owned(), error);
        document.remove("Result");
        document.remove("ResultBlob");
    }
}

fn remember(memory: &mut Memory, call: &Call, response: &Response<Bytes>) {
    if !matches!(call.queue, Some(QueueKind::Tasks | QueueKind::Scheduled)) || !response.status().is_success()
    {
        return;
    }
    match call.op {
        Op::GetMessages => {
            let ids = texts(response.body(), "MessageId");
            for (id, receipt) in ids.into_iter().zip(texts(response.body(), "PopReceipt")) {
                memory.receipts.insert(id, (receipt.clone(), receipt));
            }
        }
        Op::UpdateMessage => {
            let receipt = response.headers().get("x-ms-popreceipt").and_then(|value| value.to_str().ok());
            let id = call.message.clone().unwrap_or_default();
            if let (Some(receipt), Some(entry)) = (receipt, memory.receipts.get_mut(&id)) {
                receipt.clone_into(&mut entry.1);
            }
        }
        _ => {}
    }
}

fn is_of_schedules(call: &Call) -> bool {
    call.blob.as_deref() == Some(SCHEDULES_BLOB)
}

/// Gives a document another id at each try.
fn with_random_id(request: Request<Bytes>, call: &Call, now: Duration) -> Request<Bytes> {
    let old = call.task.map(|id| id.to_string()).unwrap_or_default();
    let hash = Digest::of(format!("{old} {now:?}").as_bytes()).hash;
    let new = TaskId::from_random_bytes((u128::from(hash) * 0x1_0000_0000_0001).to_be_bytes()).to_string();
    let (mut parts, body) = request.into_parts();
    if let Ok(uri) = parts.uri.to_string().replace(&old, &new).parse() {
        parts.uri = uri;
    }
    let body = String::from_utf8_lossy(&body).replace(&old, &new).into_bytes();
    Request::from_parts(parts, body.into())
}

/// Deletes the wake-up messages that are out.
fn delete_held_wake_ups(world: &World, source: Source) {
    let held: Vec<_> = {
        let record = world.record.borrow();
        let memory = world.memory.borrow();
        let of_schedules = record.messages.iter().filter(|(_, it)| wake_up_of(&it.text).is_some());
        let held = of_schedules.filter(|(_, it)| it.deliveries > 0 && it.visible_at > source.now);
        held.filter_map(|(id, it)| {
            Some((it.queue_name.clone(), id.clone(), memory.receipts.get(id)?.1.clone()))
        })
        .collect()
    };
    delete_all(world, source, held);
}

/// Deletes the messages of `task` that are out.
fn delete_held(world: &World, source: Source, task: Option<TaskId>) {
    delete_all(world, source, held_for(world, task));
}

fn delete_all(world: &World, source: Source, messages: Vec<(String, String, String)>) {
    for (queue, id, receipt) in messages {
        observed(world, source, requests::delete_message(&queue, &id, &receipt));
    }
}

/// Lets a request reach storage that is another one than the component sent, and observes it as what it is.
fn observed(world: &World, source: Source, mut request: Request<Bytes>) -> Response<Bytes> {
    world.cloud.borrow().sign(&mut request, world.storage_clock());
    let call = Call::of(&request);
    let body = request.body().clone();
    let response = world.cloud.borrow_mut().respond(request, world.storage_clock());
    world.record.borrow_mut().done(source, &call, &body, &response);
    response
}

/// Queue, id and newest receipt of the messages of a task that workers hold.
fn held_for(world: &World, task: Option<TaskId>) -> Vec<(String, String, String)> {
    let record = world.record.borrow();
    let memory = world.memory.borrow();
    let of_task = record.messages.iter().filter(|(_, message)| message.task == task && task.is_some());
    of_task
        .filter(|(_, message)| message.queue == QueueKind::Tasks)
        .filter_map(|(id, message)| {
            Some((message.queue_name.clone(), id.clone(), memory.receipts.get(id)?.1.clone()))
        })
        .collect()
}

/// Whether a message of the sink with an event of this kind is put.
fn is_sink_event(request: &Request<Bytes>, kind: &str) -> bool {
    text(request.body(), "MessageText").contains(&format!("\"SinkEvent\":\"{kind}\""))
}

fn is_outcome(body: &Bytes) -> bool {
    serde_json::from_slice::<Document>(body).is_ok_and(|document| document.is_terminal())
}

fn is_cancel(body: &Bytes) -> bool {
    serde_json::from_slice::<Document>(body)
        .is_ok_and(|document| document.status == 4 || document.cancel_requested_at.is_some())
}

fn without_reason(body: &Bytes) -> String {
    let mut copy: serde_json::Value = serde_json::from_str(&text(body, "MessageText")).unwrap_or_default();
    if let Some(reason) = copy.get_mut("Reason") {
        *reason = "".into();
    }
    copy.to_string()
}

fn with_shared_name(request: Request<Bytes>) -> Request<Bytes> {
    let share = |text: &str| match text.split_once("-result-") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}-result-1{rest}")
        }
        None => text.to_owned(),
    };
    let (mut parts, body) = request.into_parts();
    if let Ok(uri) = share(&parts.uri.to_string()).parse() {
        parts.uri = uri;
    }
    let is_json = body.first() == Some(&b'{');
    let body = if is_json { share(&String::from_utf8_lossy(&body)).into_bytes().into() } else { body };
    Request::from_parts(parts, body)
}

/// Whether the defect of a queue still lasts. A queue that is never received keeps a run going until its end, days later.
fn is_early(world: &World) -> bool {
    world.exec.now() < Duration::from_secs(300)
}

/// Sends a request to the queue of the highest priority that was meant for that of the lowest, and the other way round.
fn with_exchanged_queue(request: Request<Bytes>) -> Request<Bytes> {
    let [high, _, low] = TASK_QUEUES;
    let uri = request.uri().to_string();
    let exchanged = if uri.contains(high) { uri.replace(high, low) } else { uri.replace(low, high) };
    let (mut parts, body) = request.into_parts();
    if let Ok(uri) = exchanged.parse() {
        parts.uri = uri;
    }
    Request::from_parts(parts, body)
}

fn visibility(request: &Request<Bytes>) -> u64 {
    let query = request.uri().query().unwrap_or_default();
    let value = query.split('&').find_map(|pair| pair.strip_prefix("visibilitytimeout="));
    value.and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}

fn renewed(world: &World, call: &Call, seconds: u64) -> Response<Bytes> {
    let id = call.message.clone().unwrap_or_default();
    let receipt =
        world.memory.borrow().receipts.get(&id).map(|(_, newest)| newest.clone()).unwrap_or_default();
    let until = world.storage_clock() + Duration::from_secs(seconds);
    let mut response = status(204);
    for (name, value) in
        [("x-ms-popreceipt", receipt), ("x-ms-time-next-visible", fmt_http_date(until.into()))]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn xml(content: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("<?xml version=\"1.0\"?>{content}")));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/xml"));
    response
}

fn put_message_done() -> Response<Bytes> {
    let date = "Fri, 01 Jan 2027 00:00:00 GMT";
    let mut response = Response::new(Bytes::from(format!(
        "<?xml version=\"1.0\"?><QueueMessagesList><QueueMessage>\
         <MessageId>00000000-0000-4000-8000-000000000000</MessageId><InsertionTime>{date}</InsertionTime>\
         <ExpirationTime>{date}</ExpirationTime><PopReceipt>none</PopReceipt>\
         <TimeNextVisible>{date}</TimeNextVisible></QueueMessage></QueueMessagesList>"
    )));
    *response.status_mut() = StatusCode::CREATED;
    response
}

fn put_blob_done() -> Response<Bytes> {
    let mut response = status(201);
    response.headers_mut().insert("etag", HeaderValue::from_static("\"0x0\""));
    response.headers_mut().insert("last-modified", HeaderValue::from_static("Fri, 01 Jan 2027 00:00:00 GMT"));
    response
}

fn blob_not_found() -> Response<Bytes> {
    let mut missing = status(404);
    missing.headers_mut().insert("x-ms-error-code", HeaderValue::from_static("BlobNotFound"));
    missing
}

fn status(code: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
