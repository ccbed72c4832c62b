//! A task handler for the tests of isolation. The string in `Input` says what it does.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{EmptyBody, IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::time::sleep;

/// Longer than any attempt in a test.
const MUCH_LONGER: Duration = Duration::from_secs(86_400);
/// How long work takes that is done.
const WORK: Duration = Duration::from_secs(2);
/// The size of a large result, in bytes.
const LARGE_BYTES: usize = 100 * 1024 * 1024;
/// A piece of a body without end, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

type Body = BoxBody<Bytes, Infallible>;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let bytes = request.into_body().bytes().await.unwrap_or_default();
    let task: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match task.get("input").and_then(Value::as_str).unwrap_or_default() {
        "trap" => std::process::abort(),
        "loop" => compute_without_end(),
        "allocate" => allocate_without_end(),
        "never" => {
            sleep(MUCH_LONGER).await;
            response(StatusCode::OK, "application/json", whole("{}"))
        }
        "large" => response(StatusCode::OK, "application/octet-stream", large()),
        "endless" => response(StatusCode::OK, "application/octet-stream", endless()),
        "forbidden" => forbidden().await,
        "forge" => response(StatusCode::OK, "application/x-ndjson", whole(forged())),
        _ => {
            sleep(WORK).await;
            response(
                StatusCode::OK,
                "application/json",
                whole(task.get("id").cloned().unwrap_or_default().to_string()),
            )
        }
    }
}

fn response(status: StatusCode, media_type: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Ok(value) = media_type.parse() {
        response.headers_mut().insert("content-type", value);
    }
    response
}

fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed()
}

/// 100 MiB, of which a piece is in memory.
fn large() -> Body {
    let pieces = stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![b'.'; PIECE_BYTES]))));
    BodyExt::boxed(StreamBody::new(StreamExt::take(pieces, LARGE_BYTES / PIECE_BYTES)))
}

fn endless() -> Body {
    let pieces = stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![b'.'; PIECE_BYTES]))));
    BodyExt::boxed(StreamBody::new(pieces))
}

fn compute_without_end() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

fn allocate_without_end() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; PIECE_BYTES]));
    }
}

/// Asks for a host that the manifest does not allow, and says how that went.
async fn forbidden() -> Response<Body> {
    let Ok(request) = http::Request::get("http://forbidden.example/").body(EmptyBody::new()) else {
        return response(StatusCode::BAD_REQUEST, "text/plain", whole("no request"));
    };
    let detail = match spin_sdk::http::send(request).await {
        Ok(_) => "the host was reached".to_owned(),
        Err(error) => format!("the host is denied: {error}"),
    };
    let problem = json!({ "code": "HostDenied", "detail": detail }).to_string();
    response(StatusCode::SERVICE_UNAVAILABLE, "application/problem+json", whole(problem))
}

/// Lines that pretend to be about another task, and to be the end of the work.
fn forged() -> String {
    let other = "00000000-0000-4000-8000-000000000000";
    format!(
        "{{\"id\":\"{other}\",\"percentComplete\":99,\"message\":\"forged\"}}\n{{\"id\":\"{other}\",\"status\":\"Succeeded\"}}\n]]\n"
    )
}
