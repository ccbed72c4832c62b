//! The clients of a scenario: they submit, try again, poll and ask.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use models::{TaskId, Timestamp};
use serde_json::{Map, Value, json};

use crate::batch;
use crate::fleet::{Fleet, Input};
use crate::mutation::Mutation;
use crate::promise::Promise;
use crate::random::Rng;
use crate::receive::RECEIVER_HOST;
use crate::record::Role;
use crate::scenario::{Ask, Element, Identity, Index, Route};
use crate::world::World;

/// How long a client waits for a response.
const MAX_RESPONSE_TIME: Duration = Duration::from_secs(100);
/// The longest time for which a fault delays a request to storage, and what its client adds.
const LATEST_PAUSE: Duration = Duration::from_secs(200);

/// What all clients of a run share.
pub struct Clients {
    world: Rc<World>,
    fleet: Rc<Fleet>,
    rng: RefCell<Rng>,
    /// Ids from the responses, by task of the scenario.
    ids: RefCell<BTreeMap<Index, TaskId>>,
}

/// A submission, as an [`Element::Submit`] says.
#[derive(Debug, Clone, Copy)]
struct Submission {
    task: Index,
    identity: Identity,
    variant: u8,
    route: Route,
}

impl Clients {
    /// The clients of `world`, talking to `fleet`.
    #[must_use]
    pub fn new(world: &Rc<World>, fleet: &Rc<Fleet>) -> Rc<Self> {
        let rng = RefCell::new(Rng::fork(world.scenario.seed, 5));
        Rc::new(Self { world: Rc::clone(world), fleet: Rc::clone(fleet), rng, ids: RefCell::default() })
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Plays one element, if it is a client's.
    pub async fn play(self: Rc<Self>, element: Element) {
        match element {
            Element::Submit { at, task, identity, variant, route, tries, polls, deaf } => {
                self.world.exec.sleep(at).await;
                let accepted = self.submit(Submission { task, identity, variant, route }, tries, deaf).await;
                if let Some(id) = accepted.filter(|_| polls) {
                    self.poll(id).await;
                }
            }
            Element::Ask { at, task, ask } => {
                self.world.exec.sleep(at).await;
                self.ask(task, ask).await;
            }
            Element::Pause { at, lasts } => {
                self.world.exec.sleep(at).await;
                let _ = self.call(request(Method::POST, "/queue:pause", "")).await;
                self.world.exec.sleep(lasts).await;
                self.resume().await;
                // If the request to pause is carried out after that, the operator sees the pause and ends it again.
                self.world.exec.sleep(LATEST_PAUSE).await;
                self.resume().await;
            }
            Element::Schedule { at, plan } => {
                self.world.exec.sleep(at).await;
                self.schedule(&plan).await;
            }
            _ => {}
        }
    }

    /// Without its success, no task would ever run again.
    async fn resume(&self) {
        loop {
            let response = self.call(request(Method::POST, "/queue:resume", "")).await;
            if response.is_some_and(|response| response.status().is_success()) {
                return;
            }
            self.world.exec.sleep(Duration::from_secs(5)).await;
        }
    }

    pub(crate) async fn call(&self, request: Request<Bytes>) -> Option<Response<Bytes>> {
        let index = self.rng.borrow_mut().index(self.world.knobs().apis);
        let line = format!("client    {} {}", request.method(), request.uri().path());
        self.world.note(|| line.clone());
        let request = request.map(Input::Whole);
        let response = self.fleet.call(&self.world, Role::Api, index, request);
        let response =
            self.world.exec.timeout(MAX_RESPONSE_TIME, response).await.flatten().map(batch::first_outcome);
        self.world.note(|| {
            let status =
                response.as_ref().map_or("no response".to_owned(), |response| response.status().to_string());
            format!("{line} -> {status}")
        });
        response
    }

    async fn submit(&self, what: Submission, tries: u32, mut deaf: bool) -> Option<TaskId> {
        for _ in 0..tries {
            let response = self.call(self.submission(what)).await;
            if std::mem::take(&mut deaf) {
                continue;
            }
            let wait = match response {
                Some(response) if response.status() == 202 => return self.accepted(what, &response),
                Some(response) if response.status() == 422 => {
                    self.refused(what);
                    return None;
                }
                Some(response) if response.status() == 429 || response.status().is_server_error() => {
                    let asked = header(&response, "retry-after").parse().unwrap_or(1);
                    Duration::from_secs(asked)
                }
                Some(_) => return None,
                None => Duration::from_secs(1),
            };
            self.world.exec.sleep(wait.clamp(Duration::from_millis(500), Duration::from_secs(60))).await;
        }
        None
    }

    /// Identifies a variant of a task.
    fn description(&self, what: Submission) -> String {
        let strange = self.world.scenario.tasks.get(what.task).is_some_and(|task| task.strange);
        let rest = if strange { " \u{0}\u{1b}\u{85}\u{fffe}\u{ffff}\u{1f600}]]>&lt;\r\n" } else { "" };
        format!("variant {} of {}{rest}", what.variant, what.task)
    }

    fn submission(&self, what: Submission) -> Request<Bytes> {
        let mut members = Map::new();
        let mut key = None;
        if let Some(task) = self.world.scenario.tasks.get(what.task) {
            let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
            set("TaskName", task.name.into());
            set("TaskDescription", self.description(what).into());
            set("Priority", task.priority.into());
            set("Input", json!({ "slot": what.task, "padding": "p".repeat(task.padding) }));
            if task.delay > 0 {
                set("DelaySeconds", task.delay.into());
            }
            if task.expires > 0 {
                let expires = self.world.true_time() + Duration::from_secs(task.expires);
                set("ExpiresAt", Timestamp::from(expires).to_string().into());
            }
            if !task.calls.is_empty() {
                set("CallbackUri", format!("{RECEIVER_HOST}/{}", what.task).into());
            }
            if task.max_attempts > 0 {
                set("MaxAttempts", task.max_attempts.into());
            }
            match what.identity {
                Identity::TaskId => set("TaskId", task.id.clone().into()),
                Identity::Key => key = Some(format!("key-{}", task.id)),
                Identity::Unique => set("UniqueKey", format!("unique-{}", task.id).into()),
                Identity::None => {}
            }
        }
        let mut body = Value::Object(members);
        if self.world.mutation == Some(Mutation::IgnoreKey)
            && let Some(key) = &mut key
        {
            *key += &self.rng.borrow_mut().bits().to_string();
        }
        let path = match what.route {
            Route::Tasks => "/tasks",
            Route::QueueTask => "/Tasks/QueueTask",
            Route::Batch => {
                body = batch::of(body, what.identity == Identity::TaskId);
                "/tasks:batch"
            }
        };
        let mut request = request(Method::POST, path, body.to_string());
        let headers = request.headers_mut();
        headers.insert("content-type", http::HeaderValue::from_static("application/json"));
        if let Some(key) = key.and_then(|key| key.parse().ok()) {
            headers.insert("idempotency-key", key);
        }
        request
    }

    /// P5: what was accepted under one name is one task with one content.
    fn accepted(&self, what: Submission, response: &Response<Bytes>) -> Option<TaskId> {
        let now = self.world.exec.now();
        let mut record = self.world.record.borrow_mut();
        record.count("accepted");
        let Some(id) = task_of(response) else {
            record.broken(Promise::P1, now, "a 202 does not tell where the task is".to_owned());
            return None;
        };
        let expected = match what.identity {
            Identity::TaskId => {
                self.world.scenario.tasks.get(what.task).and_then(|task| task.id.parse().ok())
            }
            Identity::Key => self.ids.borrow().get(&what.task).copied(),
            Identity::None | Identity::Unique => None,
        };
        if let Some(expected) = expected.filter(|expected| *expected != id) {
            let text = format!("a submission of task {expected} was accepted as task {id}");
            record.broken(Promise::P5, now, text);
        }
        self.ids.borrow_mut().insert(what.task, id);
        let life = record.life(id);
        // With a unique key, other content gets the task that holds it.
        let is_unique = what.identity == Identity::Unique;
        life.accepted.insert(if is_unique { 0 } else { what.variant });
        let (several, clean) = (life.accepted.len() > 1, !life.foreign && !life.deleted);
        if several && clean {
            record.broken(Promise::P5, now, format!("task {id} was accepted with different contents"));
        }
        Some(id)
    }

    /// P5: other content is refused, and only that.
    fn refused(&self, what: Submission) {
        let now = self.world.exec.now();
        let mut record = self.world.record.borrow_mut();
        record.count("refused as different");
        let id = match what.identity {
            Identity::TaskId => {
                self.world.scenario.tasks.get(what.task).and_then(|task| task.id.parse().ok())
            }
            Identity::Key => self.ids.borrow().get(&what.task).copied(),
            Identity::None | Identity::Unique => None,
        };
        let Some(id) = id else { return };
        let sent = self.description(what);
        let life = record.life(id);
        let same =
            life.document().is_some_and(|document| document.task_description.as_deref() == Some(&*sent));
        if same && !life.foreign && !life.deleted {
            record.broken(Promise::P5, now, format!("task {id}: the same content was refused as different"));
        }
    }

    /// Polls as the responses say, for a while.
    async fn poll(&self, id: TaskId) {
        for _ in 0..12 {
            let path = format!("/tasks/{id}");
            let Some(response) = self.call(request(Method::GET, &path, "")).await else {
                self.world.exec.sleep(Duration::from_secs(2)).await;
                continue;
            };
            let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            let state = body.get("status").and_then(Value::as_str).unwrap_or_default();
            let after = header(&response, "retry-after").parse::<u64>().ok();
            if response.status() == 200 && matches!(state, "NotStarted" | "Running") && after.is_none() {
                let text = format!("task {id} is {state} and its poller is not told when to come back");
                self.world.record.borrow_mut().broken(Promise::P8, self.world.exec.now(), text);
            }
            if matches!(state, "Succeeded" | "Failed" | "Canceled") || response.status() == 404 {
                return;
            }
            self.world.exec.sleep(Duration::from_secs(after.unwrap_or(2).clamp(1, 600))).await;
        }
    }

    async fn ask(&self, task: Index, ask: Ask) {
        let known = self.ids.borrow().get(&task).copied();
        let planned = self.world.scenario.tasks.get(task).and_then(|task| task.id.parse().ok());
        let Some(id) = known.or(planned) else { return };
        let (method, path) = match ask {
            Ask::Cancel => (Method::POST, format!("/tasks/{id}/cancel")),
            Ask::Retry => (Method::POST, format!("/tasks/{id}/retry")),
            Ask::Delete => (Method::DELETE, format!("/tasks/{id}")),
            Ask::Get => (Method::GET, format!("/tasks/{id}")),
            Ask::Result => (Method::GET, format!("/tasks/{id}/result")),
            Ask::List => (Method::GET, "/tasks".to_owned()),
            Ask::CancelAll => (Method::POST, "/tasks:cancel".to_owned()),
            Ask::RetryAll => (Method::POST, "/tasks:retry".to_owned()),
            Ask::DeleteAll => (Method::POST, "/tasks:delete".to_owned()),
            Ask::ReplayPoison => (Method::POST, "/poison:replay".to_owned()),
            Ask::RemovePoison => (Method::POST, "/poison:delete".to_owned()),
        };
        let _ = self.call(request(method, &path, "")).await;
    }
}

pub(crate) fn request(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(body.into());
    *request.method_mut() = method;
    *request.uri_mut() = format!("http://api.test{path}").parse().unwrap_or_default();
    let length = request.body().len().into();
    request.headers_mut().insert("content-length", length);
    request.headers_mut().insert("host", http::HeaderValue::from_static("api.test"));
    request
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The task that a `Location` or `Operation-Location` leads to.
#[must_use]
pub fn task_of(response: &Response<Bytes>) -> Option<TaskId> {
    ["operation-location", "location"].iter().find_map(|name| {
        let path = header(response, name).split('?').next()?;
        let last = path.rsplit('/').next()?;
        last.strip_suffix("-202").unwrap_or(last).parse().ok()
    })
}
