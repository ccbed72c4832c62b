//! Streamed responses arrive piece by piece.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::harness::{Setup, id_of, request};

#[tokio::test(start_paused = true)]
async fn event_arrives_when_the_task_changes() {
    let world = Setup::with_account_key().start();
    let id = id_of(&world.submit(&json!({"TaskName": "simulate"})).await);
    let watch = request("GET", &format!("/tasks/{id}/events"), "").map(Full::new);
    let start = Instant::now();
    let response = world.app.try_handle(watch).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();

    let mut seen = String::new();
    while !seen.contains("NotStarted") {
        seen += &next(&mut body).await.expect("the stream has only begun");
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());

    world.drain().await;
    while let Some(piece) = next(&mut body).await {
        seen += &piece;
    }
    assert!(seen.contains("Succeeded"), "{seen}");
}

async fn next(body: &mut host::ResponseBody) -> Option<String> {
    let frame = timeout(Duration::from_secs(60), body.frame()).await.expect("nothing came for a minute")?;
    let bytes: Bytes = frame.unwrap().into_data().unwrap();
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}
