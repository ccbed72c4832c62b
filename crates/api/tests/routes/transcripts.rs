//! Runs the requests of the transcripts in `docs/api.md` and compares the responses. `UPDATE_SNAPSHOTS=1` writes the
//! transcripts anew.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Method, StatusCode};
use models::{PoisonCopy, ResultBlob, TaskState};
use service::body::Body;
use service::settings::WorkerSettings;
use worker::Worker;

use test_world::TestWorld;

use crate::world::{ID, TestResponse, World, id, request};

mod schedules;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");

/// Response headers worth showing, in this order.
const SHOWN: [&str; 13] = [
    "location",
    "operation-location",
    "retry-after",
    "preference-applied",
    "allow",
    "www-authenticate",
    "content-type",
    "content-length",
    "content-range",
    "accept-ranges",
    "etag",
    "vary",
    "x-accel-buffering",
];

/// Runs requests and records the exchanges.
struct Scribe {
    world: World,
    text: String,
}

impl Scribe {
    fn new(variables: &[(&str, &str)]) -> Self {
        let world = World::with(variables);
        world.set_latency(Duration::from_millis(4));
        Self { world, text: String::new() }
    }

    fn sent(&mut self, method: &Method, path: &str, headers: &[(&str, &str)], body: &str) {
        let _ = writeln!(self.text, "> {method} {path}");
        for (name, value) in headers {
            let _ = writeln!(self.text, "> {}: {value}", capital(name));
        }
        if !body.is_empty() {
            let _ = writeln!(self.text, "> {body}");
        }
    }

    fn received(&mut self, status: StatusCode, headers: &HeaderMap) {
        let _ = writeln!(self.text, "< {} {}", status.as_u16(), status.canonical_reason().unwrap());
        for name in SHOWN {
            if let Some(value) = headers.get(name) {
                let value = value.to_str().unwrap();
                let value =
                    value.split_once("&sig=").map_or(value.to_owned(), |(front, _)| format!("{front}&sig=…"));
                let _ = writeln!(self.text, "< {}: {value}", capital(name));
            }
        }
    }

    /// One exchange.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TestResponse {
        self.sent(&method, path, headers, body);
        let response = self.world.ask(method, path, headers, body).await;
        self.wrote(&response);
        response
    }

    fn wrote(&mut self, response: &TestResponse) {
        self.received(response.status, &response.headers);
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&response.body) {
            let _ = writeln!(self.text, "{}", serde_json::to_string_pretty(&value).unwrap());
        } else if !response.body.is_empty() {
            let _ = writeln!(self.text, "{}", response.text().trim_end());
        }
        self.text.push('\n');
    }

    fn says(&mut self, comment: &str) {
        let _ = writeln!(self.text, "# {comment}");
    }

    /// The text recorded since the last call.
    fn take(&mut self) -> String {
        std::mem::take(&mut self.text).trim_end().to_owned()
    }

    /// The worker drains the queue once.
    async fn drain(&self) {
        drain(&self.world.env).await;
    }
}

async fn drain(env: &Rc<TestWorld>) {
    drain_with(env, &[]).await;
}

async fn drain_with(env: &Rc<TestWorld>, more: &[(&str, &str)]) {
    let usual = [("drain_token", "token"), ("drain_seconds", "1"), ("simulate_unit_ms", "1000")];
    let variables = [&usual[..], more].concat();
    let settings = WorkerSettings::from_variables(&test_world::variables(&variables));
    let worker = Worker::new(env.clone(), settings);
    let drain = request(Method::POST, "/drain", &[("authorization", "Bearer token")], "");
    assert_eq!(worker.handle(drain).await.status(), StatusCode::OK);
}

fn capital(name: &str) -> String {
    if let "etag" | "www-authenticate" = name {
        return name.replace("etag", "ETag").replace("www-authenticate", "WWW-Authenticate");
    }
    let mut capital = true;
    name.chars()
        .map(|c| {
            let c = if capital { c.to_ascii_uppercase() } else { c };
            capital = c == '-';
            c
        })
        .collect()
}

fn task() -> String {
    format!("/tasks/{ID}")
}

fn submission(more: &str) -> String {
    format!(r#"{{"TaskId":"{ID}","TaskName":"simulate"{more}}}"#)
}

async fn follow() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    let mut found = Vec::new();
    let body = format!(
        r#"{{"TaskId":"{ID}","TaskName":"simulate","TaskDescription":"A first try","Priority":2,"Input":{{"a":1}}}}"#
    );
    scribe.ask(Method::POST, "/tasks", &[], &body).await;
    found.push(("submit", scribe.take()));

    let env = Rc::clone(&scribe.world.env);
    let poll = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let etag = scribe.ask(Method::GET, &task(), &[], "").await.headers["etag"].clone();
        scribe.ask(Method::GET, &task(), &[("if-none-match", etag.to_str().unwrap())], "").await;
        found.push(("poll", scribe.take()));
        scribe.ask(Method::GET, &format!("{}/result", task()), &[], "").await;
        found.push(("result too early", scribe.take()));
        scribe.ask(Method::GET, &task(), &[("prefer", "wait=30")], "").await;
        found.push(("wait", scribe.take()));
    };
    futures::join!(poll, drain(&env));
    found
}

async fn originals() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    let mut found = Vec::new();
    let body =
        format!(r#"{{"TaskName":"simulate","TaskDescription":"","Status":0,"TaskId":"{ID}","Priority":1}}"#);
    scribe.ask(Method::POST, "/Tasks/QueueTask", &[], &body).await;
    found.push(("original", scribe.take()));
    scribe.says("the same content again");
    scribe.ask(Method::POST, "/Tasks/QueueTask", &[], &body).await;
    scribe.says("other content under the same id");
    scribe.ask(Method::POST, "/tasks", &[], &submission(r#","TaskDescription":"other""#)).await;
    found.push(("repeat", scribe.take()));
    scribe.ask(Method::POST, "/tasks", &[("idempotency-key", "order-4711")], "{}").await;
    found.push(("idempotency key", scribe.take()));
    scribe.ask(Method::POST, "/tasks", &[], r#"{"TaskName":"simulate","DelaySeconds":3600}"#).await;
    found.push(("delay", scribe.take()));
    found
}

async fn priorities() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[("priority_queues", "true")]);
    for (index, priority) in [0, 0, 2].into_iter().enumerate() {
        let id = ID.replace('0', &index.to_string());
        let body = format!(r#"{{"TaskId":"{id}","TaskName":"simulate","Priority":{priority}}}"#);
        scribe.sent(&Method::POST, "/tasks", &[], &body);
        let response = scribe.world.ask(Method::POST, "/tasks", &[], &body).await;
        scribe.received(response.status, &HeaderMap::new());
        scribe.text.push('\n');
    }
    scribe.ask(Method::GET, "/metrics", &[], "").await;
    vec![("priorities", scribe.take())]
}

async fn batches() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    let second = ID.replace('0', "1");
    let body = format!(
        r#"{{"tasks":[{{"TaskId":"{ID}","TaskName":"simulate"}},{{"TaskName":""}},{{"TaskId":"{second}","TaskName":"report"}}]}}"#
    );
    scribe.ask(Method::POST, "/tasks:batch", &[], &body).await;
    let mut found = vec![("batch", scribe.take())];
    scribe.ask(Method::POST, "/tasks:cancel?status=NotStarted&top=1", &[], "").await;
    found.push(("bulk", scribe.take()));
    found
}

async fn limits() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    let body = submission(r#","ExpiresAt":"2026-11-20T10:05:00Z","TimeoutSeconds":60,"MaxAttempts":2"#);
    scribe.ask(Method::POST, "/tasks", &[], &body).await;
    scribe.says("no worker has received the task by 10:05");
    tokio::time::sleep(Duration::from_secs(300)).await;
    scribe.drain().await;
    scribe.ask(Method::GET, &task(), &[], "").await;
    let mut found = vec![("expiry", scribe.take())];
    let body = r#"{"TaskName":"report","UniqueKey":"nightly"}"#;
    scribe.ask(Method::POST, "/tasks", &[], body).await;
    scribe.says("the same key, while the task waits");
    scribe.ask(Method::POST, "/tasks", &[], &body.replace("report", "another")).await;
    found.push(("unique", scribe.take()));
    found
}

/// Writes down the calls of `host` with these headers, and responds with 204.
fn record_calls(world: &World, host: &'static str, headers: &'static [&'static str]) -> Rc<RefCell<String>> {
    let calls = Rc::new(RefCell::new(String::new()));
    let seen = Rc::clone(&calls);
    world.serve_other_hosts(move |request| {
        (request.uri().host() == Some(host)).then(|| {
            let mut text = seen.borrow_mut();
            let _ = writeln!(text, "> POST {}", request.uri());
            for name in headers {
                let _ = writeln!(text, "> {}: {}", capital(name), request.headers()[*name].to_str().unwrap());
            }
            let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            let _ = write!(text, "{}\n< 204 No Content\n\n", serde_json::to_string_pretty(&body).unwrap());
            (Duration::from_millis(30), http::Response::builder().status(204).body(Bytes::new()).unwrap())
        })
    });
    calls
}

async fn sink() -> Vec<(&'static str, String)> {
    let (url, host) = ("https://sink.example/api/events", "https://sink.example");
    let mut scribe = Scribe::new(&[("event_sink_url", url)]);
    let calls = record_calls(&scribe.world, "sink.example", &["content-type"]);
    let body = format!(r#"{{"TaskId":"{ID}","TaskName":"checksum"}}"#);
    scribe.world.ask(Method::POST, "/tasks", &[], &body).await;
    scribe.says("a worker runs the task and calls the sink");
    drain_with(&scribe.world.env, &[("event_sink_url", url), ("event_sink_host", host)]).await;
    scribe.text.push_str(&calls.borrow());
    scribe.ask(Method::GET, &task(), &[], "").await;
    vec![("sink", scribe.take())]
}

async fn callbacks() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[("callback_hosts", "https://hooks.example")]);
    let headers = &["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"];
    let calls = record_calls(&scribe.world, "hooks.example", headers);
    let body = submission(r#","CallbackUri":"https://elsewhere.example/done""#);
    scribe.ask(Method::POST, "/tasks", &[], &body).await;
    let body = format!(
        r#"{{"TaskId":"{ID}","TaskName":"checksum","Input":"a","CallbackUri":"https://hooks.example/done"}}"#
    );
    scribe.ask(Method::POST, "/tasks", &[], &body).await;
    scribe.says("a worker runs the task and then calls the receiver");
    let secret = ("callback_secrets", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    drain_with(&scribe.world.env, &[("callback_hosts", "https://hooks.example"), secret]).await;
    scribe.text.push_str(&calls.borrow());
    scribe.ask(Method::GET, &task(), &[], "").await;
    vec![("callback", scribe.take())]
}

async fn streams() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    scribe.world.ask(Method::POST, "/tasks", &[], &submission("")).await;
    let env = Rc::clone(&scribe.world.env);
    let work = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drain(&env).await;
    };
    let listen = async {
        let headers = [("accept", "text/event-stream")];
        scribe.sent(&Method::GET, &task(), &headers, "");
        let response = scribe.world.api.handle(request(Method::GET, &task(), &headers, "")).await;
        scribe.received(response.status(), response.headers());
        let Body::Stream(mut stream) = response.into_body() else { panic!("not a stream") };
        let mut events = Vec::new();
        while let Some(bytes) = stream.next().await {
            events.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        // The first and the last in full; between them there may be many.
        let last = events.len() - 1;
        assert!(last >= 2, "{events:?}");
        let _ = write!(scribe.text, "{}{}{}", events[0], events[1], events[last]);
        scribe.take()
    };
    let (text, ()) = futures::join!(listen, work);
    vec![("events", text)]
}

async fn results() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    let body = format!(r#"{{"TaskId":"{ID}","TaskName":"text-statistics","Input":"to be or not to be"}}"#);
    scribe.world.ask(Method::POST, "/tasks", &[], &body).await;
    scribe.drain().await;
    scribe.ask(Method::GET, &format!("{}?redirect=true", task()), &[], "").await;
    scribe.ask(Method::GET, &format!("{}/result", task()), &[], "").await;
    let mut found = vec![("result", scribe.take())];
    let documents = scribe.world.storage().store;
    let result = Bytes::from("id;name\n".repeat(400_000));
    documents.put_attachment("result", "text/csv", result.clone()).await.unwrap();
    scribe.world.change_document(id(), |document| {
        document.state = TaskState::Completed;
        document.result_blob = Some(ResultBlob {
            name: "result".to_owned(),
            content_type: "text/csv".to_owned(),
            size: result.len() as u64,
        });
    });
    let path = format!("{}/result", task());
    scribe.ask(Method::HEAD, &path, &[], "").await;
    scribe.ask(Method::GET, &path, &[("range", "bytes=8-14")], "").await;
    scribe.ask(Method::GET, &path, &[("range", "bytes=3200000-")], "").await;
    found.push(("range", scribe.take()));
    found
}

async fn lists() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    for number in 1..=3 {
        let id = format!("{number}a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b");
        let body = format!(r#"{{"TaskId":"{id}","TaskName":"report"}}"#);
        scribe.world.ask(Method::POST, "/tasks", &[], &body).await;
    }
    let path = "/tasks?status=NotStarted&name=report&top=2";
    let response = scribe.ask(Method::GET, path, &[], "").await;
    let list = response.json();
    scribe.says("following nextLink");
    let next = list["nextLink"].as_str().unwrap().replace("http://api.example", "");
    scribe.ask(Method::GET, &next, &[], "").await;
    let mut found = vec![("list", scribe.take())];
    scribe.ask(Method::GET, "/tasks?continuation=made-up", &[], "").await;
    found.push(("made-up continuation", scribe.take()));
    found
}

async fn ends() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    let mut found = Vec::new();
    scribe.world.ask(Method::POST, "/tasks", &[], &submission("")).await;
    let stale = [("if-match", "\"0x8D0000000000000\"")];
    scribe.ask(Method::POST, &format!("{}/cancel", task()), &stale, "").await;
    found.push(("precondition", scribe.take()));
    scribe.ask(Method::DELETE, &task(), &[], "").await;
    scribe.ask(Method::POST, &format!("{}/cancel", task()), &[], "").await;
    scribe.says("once more");
    scribe.ask(Method::POST, &format!("{}/cancel", task()), &[], "").await;
    found.push(("cancel", scribe.take()));
    scribe.ask(Method::DELETE, &task(), &[], "").await;
    scribe.ask(Method::GET, &task(), &[], "").await;
    found.push(("delete", scribe.take()));
    scribe.drain().await;

    scribe.world.ask(Method::POST, "/tasks", &[], &submission("")).await;
    scribe.world.change_document(id(), |document| document.state = TaskState::Failed);
    scribe.ask(Method::POST, &format!("{}/retry", task()), &[], "").await;
    found.push(("retry", scribe.take()));
    found
}

async fn poison() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    scribe.world.ask(Method::POST, "/tasks", &[], &submission("")).await;
    let [message] = &scribe.world.messages("")[..] else { panic!("one message") };
    let copy = PoisonCopy {
        kind: None,
        reason:
            "attempts started without success: 5; max_dequeue_count allows 5; the latest attempt failed: the \
                 handler responded 503"
                .to_owned(),
        message: Some(message.text.clone()),
        encoding: None,
        blob: None,
        message_id: message.id.clone(),
        dequeue_count: 6,
        poisoned_at: scribe.world.now(),
    };
    scribe.world.change_document(id(), |document| document.state = TaskState::Failed);
    scribe.world.put_message("-poison", &serde_json::to_string(&copy).unwrap());
    scribe.world.put_message("-poison", "not a task");
    let list = scribe.ask(Method::GET, "/poison", &[], "").await.json();
    let message = |index: usize| list["value"][index]["id"].as_str().unwrap().to_owned();
    scribe.ask(Method::POST, &format!("/poison/{}/replay", message(0)), &[], "").await;
    scribe.ask(Method::GET, &format!("/poison/{}", message(1)), &[], "").await;
    scribe.ask(Method::POST, "/poison:replay", &[], "").await;
    scribe.ask(Method::POST, "/poison:delete", &[], "").await;
    vec![("poison", scribe.take())]
}

async fn pause() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[("queue_pause", "true")]);
    scribe.world.ask(Method::POST, "/tasks", &[], &submission("")).await;
    scribe.ask(Method::POST, "/queue:pause", &[], "").await;
    scribe.ask(Method::POST, "/queue:resume", &[], "").await;
    vec![("pause", scribe.take())]
}

async fn refusals() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[]);
    let mut found = Vec::new();
    scribe.ask(Method::POST, "/tasks", &[], r#"{"TaskName":"simulate","Priority":7}"#).await;
    scribe.ask(Method::PUT, "/tasks", &[], "").await;
    found.push(("problems", scribe.take()));

    scribe.ask(Method::GET, "/healthz", &[], "").await;
    scribe.ask(Method::GET, "/readyz", &[], "").await;
    scribe.ask(Method::GET, "/metrics", &[], "").await;
    found.push(("health", scribe.take()));

    // SHA-256 of "secret".
    let hashes = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let mut scribe = Scribe::new(&[("api_auth", "api-key"), ("api_key_hashes", hashes)]);
    scribe.ask(Method::GET, "/tasks", &[], "").await;
    scribe.ask(Method::GET, "/tasks", &[("authorization", "Bearer secret")], "").await;
    found.push(("callers", scribe.take()));

    let mut scribe = Scribe::new(&[("queue_depth_limit", "1")]);
    for _ in 0..2 {
        scribe.world.ask(Method::POST, "/tasks", &[], "{}").await;
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    scribe.ask(Method::POST, "/tasks", &[], "{}").await;
    found.push(("overload", scribe.take()));
    found
}

#[tokio::test(start_paused = true)]
async fn documented_transcripts_equal_the_responses() {
    let mut found = Vec::new();
    found.extend(follow().await);
    found.extend(originals().await);
    found.extend(priorities().await);
    found.extend(batches().await);
    found.extend(limits().await);
    found.extend(callbacks().await);
    found.extend(sink().await);
    found.extend(streams().await);
    found.extend(results().await);
    found.extend(lists().await);
    found.extend(ends().await);
    found.extend(poison().await);
    found.extend(pause().await);
    found.extend(schedules::transcript().await);
    found.extend(refusals().await);

    let mut document = std::fs::read_to_string(DOCUMENT).unwrap();
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    assert_eq!(document.matches("<!-- transcript:").count(), found.len());
    for (name, text) in found {
        let begin = format!("<!-- transcript: {name} -->\n```text\n");
        let (front, rest) =
            document.split_once(&begin).unwrap_or_else(|| panic!("no transcript called {name}"));
        let (written, back) = rest.split_once("```").unwrap();
        if update {
            document = format!("{front}{begin}{text}\n```{back}");
        } else {
            assert_eq!(written.trim_end(), text, "the transcript called {name}");
        }
    }
    if update {
        std::fs::write(DOCUMENT, document).unwrap();
    }
}
