//! A task handler that speaks HTTP itself: counts the words of the text in `Input`.
#![cfg(target_family = "wasm")]

use std::collections::BTreeMap;

use bytes::Bytes;
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{FullBody, IntoResponse, Request, Response};
use spin_sdk::http_service;

/// What the worker sends; docs/handlers.md has all members.
#[derive(serde::Deserialize)]
struct Task {
    input: Option<String>,
}

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let task = request.into_body().bytes().await.ok().and_then(|body| serde_json::from_slice(&body).ok());
    let Some(Task { input: Some(text) }) = task else {
        // Any 4xx but 408 and 429 fails the task; `detail` becomes its error.
        return respond(
            422,
            "application/problem+json",
            r#"{"status":422,"detail":"Input must be a text"}"#.to_owned(),
        );
    };
    let mut words: BTreeMap<String, u32> = BTreeMap::new();
    for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *words.entry(word.to_lowercase()).or_default() += 1;
    }
    respond(200, "application/json", serde_json::to_string(&words).unwrap_or_default())
}

fn respond(status: u16, media_type: &str, body: String) -> Response<FullBody<Bytes>> {
    // Without a length the host sends chunks, in two segments.
    let response = Response::builder().status(status).header("content-type", media_type);
    let response = response.header("content-length", body.len()).body(FullBody::new(Bytes::from(body)));
    response.unwrap_or_else(|_| Response::new(FullBody::default()))
}
