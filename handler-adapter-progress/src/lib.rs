//! Serves a component that exports `accepted:handler/work-with-progress` under the HTTP protocol of docs/handlers.md.
// Native builds of the whole workspace include this package; the imports exist only for WebAssembly.
#![cfg(target_family = "wasm")]

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{self, select};
use futures::stream::{self, Stream, StreamExt as _};
use handler_protocol::task::MAX_REQUEST_BYTES;
use handler_protocol::{Failure, Outcome, Progress, Retry, Task, lines, response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Either, Full, Limited, StreamBody};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::wit_bindgen::{FutureReader, StreamReader};

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../wit",
        world: "adapter-with-progress",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });
}

use bindings::accepted::handler::{types, work_with_progress};

type Result = std::result::Result<Option<String>, types::Failure>;

/// How long the response is silent at most. A write of a line shows that the worker has closed the connection.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A running handler. Dropped, it closes both ends, which the handler sees at its next write.
struct Running {
    progress: Pin<Box<dyn Stream<Item = types::Progress>>>,
    result: FutureReader<Result>,
}

/// What comes next from a handler.
enum Event {
    Progress(types::Progress),
    End,
    Silence,
}

impl Running {
    fn new(progress: StreamReader<types::Progress>, result: FutureReader<Result>) -> Self {
        let progress =
            stream::unfold(progress, async |mut progress| Some((progress.next().await?, progress)));
        Self { progress: Box::pin(progress), result }
    }

    async fn next(&mut self) -> Event {
        // The read that is under way stays in the stream when the time is up.
        match select(self.progress.next(), pin!(spin_sdk::time::sleep(HEARTBEAT))).await {
            future::Either::Left((Some(progress), _)) => Event::Progress(progress),
            future::Either::Left((None, _)) => Event::End,
            future::Either::Right(_) => Event::Silence,
        }
    }
}

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let (head, body) = request.into_parts();
    if head.method == Method::OPTIONS {
        return whole(response::present());
    }
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        return whole(response::unread());
    };
    let task = match Task::read(&head.method, &head.headers, &body.to_bytes()) {
        Ok(task) => task,
        Err(refusal) => return whole(response::refused(&refusal)),
    };
    let (progress, result) = work_with_progress::run(to_wit(task)).await;
    let mut running = Running::new(progress, result);
    let first = match running.next().await {
        // Neither progress nor a second's work: the response need not be lines.
        Event::End => return whole(response::ended(result_of(running.result.await).map(outcome))),
        Event::Progress(first) => lines::progress(&progress_of(first)),
        Event::Silence => lines::heartbeat(),
    };
    let lines = stream::once(future::ready(first)).chain(lines_of(running));
    let mut response = Response::new(Either::Right(StreamBody::new(
        lines.map(|line| Ok::<_, Infallible>(Frame::data(line))),
    )));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(lines::MEDIA_TYPE));
    response
}

/// The lines of the response, made as they are read: the handler waits while the worker does not read.
fn lines_of(running: Running) -> impl Stream<Item = Bytes> + Unpin {
    Box::pin(stream::unfold(Some(running), async |running| {
        let mut running = running?;
        match running.next().await {
            Event::Progress(next) => Some((lines::progress(&progress_of(next)), Some(running))),
            Event::Silence => Some((lines::heartbeat(), Some(running))),
            Event::End => Some((lines::last(result_of(running.result.await)), None)),
        }
    }))
}

fn whole<S>(mut response: Response<Bytes>) -> Response<Either<Full<Bytes>, S>> {
    let length = response.body().len();
    if length > 0 {
        // Without a length the host sends chunks, in two segments.
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response.map(|body| Either::Left(Full::new(body)))
}

fn to_wit(task: Task) -> types::Task {
    let Task { id, name, input, attempt, deadline, traceparent } = task;
    types::Task { id, name, input, attempt, deadline, traceparent }
}

fn progress_of(progress: types::Progress) -> Progress {
    Progress { percent: progress.percent, message: progress.message }
}

fn outcome(result: Option<String>) -> Outcome {
    result.map_or(Outcome::Nothing, Outcome::Json)
}

fn result_of(result: Result) -> std::result::Result<Option<String>, Failure> {
    result.map_err(|failure| {
        let retry = match failure.retry {
            types::Retry::Never => Retry::Never,
            types::Retry::BackedOff => Retry::BackedOff,
            types::Retry::After(seconds) => Retry::After(seconds),
        };
        Failure { code: failure.code, message: failure.message, retry }
    })
}
