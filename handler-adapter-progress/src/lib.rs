//! Serves a component that exports `accepted:handler/work-with-progress` under the HTTP protocol of docs/handlers.md.
// Native builds of the whole workspace include this package; the imports exist only for WebAssembly.
#![cfg(target_family = "wasm")]

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{self, select};
use futures::stream::{self, Stream, StreamExt as _};
use handler_messages::{Writer, field};
use handler_protocol::task::{Head, MAX_REQUEST_BYTES};
use handler_protocol::{Failure, Outcome, Progress, Retry, Task, lines, response};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response};
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::types::{self as wasi, ErrorCode, Request};
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

struct Adapter;

spin_sdk::wasip3::http::service::export!(Adapter);

impl Guest for Adapter {
    async fn handle(request: Request) -> std::result::Result<wasi::Response, ErrorCode> {
        match begin(request).await {
            Begun::Ended(response) => handler_messages::respond(response),
            Begun::Running(first, running) => {
                let mut response = Response::new(());
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(lines::MEDIA_TYPE));
                let (writer, response) = handler_messages::begin(&response.into_parts().0, true)?;
                spin_sdk::wasip3::spawn(write(writer, first, running));
                Ok(response)
            }
        }
    }
}

/// How the response begins.
enum Begun {
    /// The work has ended without progress within [`HEARTBEAT`]: the response need not be lines.
    Ended(Response<Bytes>),
    /// The first line, and what runs on.
    Running(Bytes, Running),
}

async fn begin(request: Request) -> Begun {
    let method = Method::try_from(request.get_method()).unwrap_or_default();
    if method == Method::OPTIONS {
        return Begun::Ended(response::present());
    }
    let fields = request.get_headers();
    let head = Head::read(method, |name| field(&fields, name));
    let Some(body) = handler_messages::read(request, &fields, MAX_REQUEST_BYTES).await else {
        return Begun::Ended(response::unread());
    };
    let task = match Task::read(head, &body) {
        Ok(task) => task,
        Err(refusal) => return Begun::Ended(response::refused(&refusal)),
    };
    let (progress, result) = work_with_progress::run(to_wit(task)).await;
    let mut running = Running::new(progress, result);
    match running.next().await {
        Event::End => Begun::Ended(response::ended(result_of(running.result.await).map(outcome))),
        Event::Progress(first) => Begun::Running(lines::progress(&progress_of(first)), running),
        Event::Silence => Begun::Running(lines::heartbeat(), running),
    }
}

/// Writes the lines of the response. Each is made when the one before was read: the handler waits while the worker does not
/// read. A write that fails ends the handler.
async fn write(mut writer: Writer, first: Bytes, mut running: Running) {
    let mut line = first;
    while writer.chunk(line).await {
        line = match running.next().await {
            Event::Progress(next) => lines::progress(&progress_of(next)),
            Event::Silence => lines::heartbeat(),
            Event::End => {
                let last = lines::last(result_of(running.result.await));
                if writer.chunk(last).await {
                    writer.end().await;
                }
                return;
            }
        };
    }
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
