//! How the cost of operations grows with what is stored, in requests to storage.
//!
//! [`busy`] and [`idle`] call an application over a storage account that [`fill`] has filled, and count its requests.
#![expect(clippy::indexing_slicing, reason = "a response that lacks what a test reads ends it")]

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fake_azure::{EMULATOR_ACCOUNT, FakeAzure};
use http::{Request, Response};
use lifecycle::sweep::Mark;
use models::{TaskId, TaskMessage, TaskRequest, TaskState, TaskStatus, Timestamp};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};
use time::OffsetDateTime;

use crate::application::{drain_request, request};
use crate::contents::{CONTAINER, QUEUE};

/// Requests to storage while messages wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Busy {
    /// Of a submission.
    pub submit: u64,
    /// Of a poll.
    pub poll: u64,
    /// Of the first page of a list with 50 tasks.
    pub list: u64,
    /// Of the page after it.
    pub next_page: u64,
    /// Tasks that the drain completed.
    pub drained: u32,
    /// Of the drain, for each of them.
    pub per_task: f64,
}

/// Requests to storage while no message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// Of a pass of the sweep over all documents, with the drains that it is a part of.
    pub pass: u64,
    /// Of a drain after it.
    pub drain: u64,
}

/// Stores `ended` tasks that have ended and `waiting` tasks that wait, with their messages.
///
/// # Panics
/// Never: the emulator keeps what was stored.
pub fn fill(fake: &mut FakeAzure, ended: u32, waiting: u32, now: OffsetDateTime) {
    // A million tasks: nothing but the queue is made by a request, which would be signed and verified.
    let queue = format!("http://127.0.0.1:10001/{EMULATOR_ACCOUNT}/{QUEUE}");
    let mut queue = Request::put(queue).body(Bytes::new()).expect("a valid request");
    fake.sign(&mut queue, now);
    assert_eq!(fake.handle(queue, now).status(), 201);
    for number in 0..ended {
        let mut document = document(number, now.into());
        document.state = TaskState::Completed;
        document.expires_at = Some(Timestamp::from(now + time::Duration::days(30)));
        put(fake, &document, now);
    }
    for number in ended..ended + waiting {
        let document = document(number, now.into());
        put(fake, &document, now);
        let stored = fake.blob(EMULATOR_ACCOUNT, CONTAINER, &document.task_id.status_blob_name());
        let etag = stored.expect("stored just now").etag;
        let text = TaskMessage::text_for(&document, Some(&etag));
        fake.put_message(EMULATOR_ACCOUNT, QUEUE, text, now);
    }
}

/// Counts the requests of the application `call` over the account `fake`, in which messages wait.
///
/// # Panics
/// When the application does not respond as it must.
pub async fn busy(call: impl AsyncFn(Request<Bytes>) -> Response<Bytes>, fake: &Mutex<FakeAzure>) -> Busy {
    let task = r#"{"TaskName":"checksum","Input":"some text"}"#;
    let counted = async |request: Request<Bytes>, status: u16| {
        with(fake, FakeAzure::reset_requests);
        let response = call(request).await;
        assert_eq!(response.status(), status, "{response:?}");
        (with(fake, |fake| fake.requests().values().sum::<u64>()), response)
    };
    // The first submission of an instance does what is done once.
    counted(request("POST", "/tasks", task), 202).await;
    let (submit, _) = counted(request("POST", "/tasks", task), 202).await;
    let (poll, _) = counted(request("GET", &path(0), ""), 200).await;
    let (list, page) = counted(request("GET", "/tasks?top=50", ""), 200).await;
    let next = json(&page)["nextLink"].as_str().expect("there is another page").to_owned();
    let next_path = next.split_once("example.test").expect("the address of the request").1;
    let (next_page, _) = counted(request("GET", next_path, ""), 200).await;
    let (requests, report) = counted(drain_request(), 200).await;
    let drained =
        json(&report)["completed"].as_u64().and_then(|count| u32::try_from(count).ok()).expect("a count");
    let requests = u32::try_from(requests).expect("a drain is bounded");
    Busy { submit, poll, list, next_page, drained, per_task: f64::from(requests) / f64::from(drained) }
}

/// Counts the requests of the application `call` over the account `fake`, in which no message waits.
///
/// # Panics
/// When the application does not respond as it must.
pub async fn idle(call: impl AsyncFn(Request<Bytes>) -> Response<Bytes>, fake: &Mutex<FakeAzure>) -> Idle {
    let drain = async || {
        with(fake, FakeAzure::reset_requests);
        let report = json(&call(drain_request()).await);
        assert_eq!(report["received"], 0, "{report}");
        (with(fake, |fake| fake.requests().values().sum::<u64>()), report["more"] == true)
    };
    let mut pass = 0;
    loop {
        let (requests, more) = drain().await;
        pass += requests;
        if !more {
            return Idle { pass, drain: drain().await.0 };
        }
    }
}

/// The path of a task that [`fill`] has stored, by its number.
#[must_use]
pub fn path(number: u32) -> String {
    format!("/tasks/{}", id(number))
}

fn with<T>(fake: &Mutex<FakeAzure>, work: impl FnOnce(&mut FakeAzure) -> T) -> T {
    work(&mut fake.lock().unwrap_or_else(PoisonError::into_inner))
}

fn json(response: &Response<Bytes>) -> serde_json::Value {
    serde_json::from_slice(response.body()).expect("JSON")
}

/// A task id like those that are drawn at random.
fn id(number: u32) -> TaskId {
    let mut random = SplitMix64::seed_from_u64(number.into());
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    TaskId::from_random_bytes(bytes)
}

fn document(number: u32, now: Timestamp) -> TaskStatus {
    let request =
        TaskRequest::parse(br#"{"TaskName":"checksum","Input":"some text"}"#).expect("a valid task");
    let address = blob_address(id(number));
    TaskStatus::accepted(id(number), request, address, now)
}

fn blob_address(id: TaskId) -> String {
    format!("http://127.0.0.1:10000/{EMULATOR_ACCOUNT}/{CONTAINER}/{}", id.status_blob_name())
}

/// Stores a document as the components do, with its mark.
fn put(fake: &mut FakeAzure, document: &TaskStatus, now: OffsetDateTime) {
    let name = document.task_id.status_blob_name();
    fake.put_blob(EMULATOR_ACCOUNT, CONTAINER, &name, document.to_bytes(), "application/json", now);
    let mark = Mark::of(document).to_string();
    fake.set_metadata(EMULATOR_ACCOUNT, CONTAINER, &name, &[("note", &mark)]);
}
