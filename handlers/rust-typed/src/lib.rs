//! A task handler with progress: the SHA-256 of what a URL gives, computed while it arrives, in constant memory.
#![cfg(target_family = "wasm")]

use bytes::Bytes;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use spin_sdk::http::{EmptyBody, Request};

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "handler-with-progress",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });
}

use bindings::accepted::handler::types::{Failure, Progress, Retry, Task};
use bindings::exports::accepted::handler::work_with_progress::Guest;
use bindings::{wit_future, wit_stream};
use spin_sdk::wit_bindgen::{FutureReader, StreamReader, StreamWriter};

struct Handler;

bindings::export!(Handler with_types_in bindings);

#[derive(serde::Deserialize)]
struct Input {
    url: String,
}

impl Guest for Handler {
    async fn run(task: Task) -> (StreamReader<Progress>, FutureReader<Result<Option<String>, Failure>>) {
        let (progress, progress_reader) = wit_stream::new();
        let (result, result_reader) = wit_future::new(|| Err(stopped()));
        spin_sdk::wasip3::spawn(async move {
            let outcome = checksum(&task, progress).await;
            // An error means that the attempt was cancelled.
            let _ = result.write(outcome).await;
        });
        (progress_reader, result_reader)
    }
}

async fn checksum(task: &Task, mut progress: StreamWriter<Progress>) -> Result<Option<String>, Failure> {
    let input: Input = serde_json::from_str(task.input.as_deref().unwrap_or("null")).map_err(|error| {
        failure("invalid-input", format!("Input must be {{\"url\": …}}: {error}"), Retry::Never)
    })?;
    let request = Request::get(&input.url)
        .body(EmptyBody::new())
        .map_err(|error| failure("invalid-input", format!("{}: {error}", input.url), Retry::Never))?;
    let response = spin_sdk::http::send(request)
        .await
        .map_err(|error| failure("unreachable", format!("{}: {error}", input.url), Retry::BackedOff))?;
    if !response.status().is_success() {
        let message = format!("{} responded {}", input.url, response.status());
        return Err(failure("unexpected-status", message, Retry::BackedOff));
    }
    let length =
        response.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut body = response.into_body();
    let (mut digest, mut received, mut reported) = (Sha256::new(), 0_u64, 0);
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| failure("unreachable", format!("{} broke off", input.url), Retry::BackedOff))?;
        let data: Bytes = frame.into_data().unwrap_or_default();
        digest.update(&data);
        received += data.len() as u64;
        let percent =
            length.filter(|length| *length > 0).map_or(0, |length| (received * 100 / length).min(100));
        if percent > reported {
            reported = percent;
            let report =
                Progress { percent: u8::try_from(percent).ok(), message: Some(format!("{received} bytes")) };
            if progress.write_one(report).await.is_some() {
                return Err(stopped());
            }
        }
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(serde_json::json!({"sha256": hex, "bytes": received}).to_string()))
}

fn failure(code: &str, message: String, retry: Retry) -> Failure {
    Failure { code: code.to_owned(), message, retry }
}

/// Is not read: the attempt was cancelled.
fn stopped() -> Failure {
    failure("stopped", "the attempt was cancelled".to_owned(), Retry::BackedOff)
}
