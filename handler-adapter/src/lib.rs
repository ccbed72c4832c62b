//! Serves a component that exports `accepted:handler/work` under the HTTP protocol of docs/handlers.md.
// Native builds of the whole workspace include this package; the imports exist only for WebAssembly.
#![cfg(target_family = "wasm")]

use bytes::Bytes;
use handler_protocol::task::MAX_REQUEST_BYTES;
use handler_protocol::{Failure, Outcome, Retry, Task, response};
use http::{Method, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../wit",
        world: "adapter",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });
}

use bindings::accepted::handler::{types, work};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let mut response = respond(request).await;
    let length = response.body().len();
    if length > 0 {
        // Without a length the host sends chunks, in two segments.
        response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    }
    response.map(Full::new)
}

async fn respond(request: Request) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    if head.method == Method::OPTIONS {
        return response::present();
    }
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        return response::unread();
    };
    match Task::read(&head.method, &head.headers, &body.to_bytes()) {
        Ok(task) => response::ended(work::run(to_wit(task)).await.map(outcome).map_err(failure)),
        Err(refusal) => response::refused(&refusal),
    }
}

fn to_wit(task: Task) -> types::Task {
    let Task { id, name, input, attempt, deadline, traceparent } = task;
    types::Task { id, name, input, attempt, deadline, traceparent }
}

fn outcome(outcome: types::Outcome) -> Outcome {
    match outcome {
        types::Outcome::Nothing => Outcome::Nothing,
        types::Outcome::Json(text) => Outcome::Json(text),
        types::Outcome::Text(text) => Outcome::Text(text),
        types::Outcome::Content(types::Content { media_type, bytes }) => {
            Outcome::Content { media_type, bytes }
        }
    }
}

fn failure(failure: types::Failure) -> Failure {
    let retry = match failure.retry {
        types::Retry::Never => Retry::Never,
        types::Retry::BackedOff => Retry::BackedOff,
        types::Retry::After(seconds) => Retry::After(seconds),
    };
    Failure { code: failure.code, message: failure.message, retry }
}
