//! Serves a component that exports `accepted:handler/work` under the HTTP protocol of docs/handlers.md.
// Native builds of the whole workspace include this package; the imports exist only for WebAssembly.
#![cfg(target_family = "wasm")]

use bytes::Bytes;
use handler_messages::field;
use handler_protocol::task::{Head, MAX_REQUEST_BYTES};
use handler_protocol::{Failure, Outcome, Retry, Task, response};
use http::{Method, Response};
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::types::{self as wasi, ErrorCode, Request};

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../wit",
        world: "adapter",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });
}

use bindings::accepted::handler::{types, work};

struct Adapter;

spin_sdk::wasip3::http::service::export!(Adapter);

impl Guest for Adapter {
    async fn handle(request: Request) -> Result<wasi::Response, ErrorCode> {
        handler_messages::respond(respond(request).await)
    }
}

async fn respond(request: Request) -> Response<Bytes> {
    let method = Method::try_from(request.get_method()).unwrap_or_default();
    if method == Method::OPTIONS {
        return response::present();
    }
    let fields = request.get_headers();
    let head = Head::read(method, |name| field(&fields, name));
    let Some(body) = handler_messages::read(request, &fields, MAX_REQUEST_BYTES).await else {
        return response::unread();
    };
    match Task::read(head, &body) {
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
