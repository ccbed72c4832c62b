//! What clients do: submit tasks until they are accepted, and follow them to their end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use xtask::stack::http::Client;

/// Pause before a request without a response is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Pause between two passes over the tasks that have not ended.
const POLL_PAUSE: Duration = Duration::from_millis(200);

/// The id of the task of that number.
#[must_use]
pub fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// Submits the task of that number until it is accepted, or `is_over`.
///
/// # Errors
/// When it is refused for good, or not accepted in time.
pub fn submit(base: &str, number: usize, is_over: impl Fn() -> bool) -> Result<()> {
    let task = json!({"TaskId": id(number), "TaskName": "simulate", "Priority": number % 3});
    let client = Client::default();
    loop {
        match client.post(&format!("{base}/tasks"), &task) {
            Ok(response) if response.status() == 202 => return Ok(()),
            Ok(response) if response.status() < 500 => {
                bail!("task {} got {}: {}", id(number), response.status(), response.text)
            }
            // The same id and content: repeating it is safe, whatever became of the first try.
            Ok(_) | Err(_) => {}
        }
        if is_over() {
            bail!("task {} was not accepted in time", id(number));
        }
        std::thread::sleep(RETRY_PAUSE);
    }
}

/// Waits until all tasks below `count` have succeeded; their ids and ETags. Calls `between` before each pass.
///
/// # Errors
/// When a task failed, was cancelled or does not exist, or `between` fails.
pub fn wait_for_all(
    base: &str,
    count: usize,
    mut between: impl FnMut(usize) -> Result<()>,
) -> Result<BTreeMap<String, String>> {
    let client = Client::default();
    let mut open: Vec<String> = (0..count).map(id).collect();
    let mut ends = BTreeMap::new();
    while !open.is_empty() {
        between(open.len())?;
        let mut still_open = Vec::new();
        for id in open {
            let Ok(response) = client.get(&format!("{base}/tasks/{id}")) else {
                still_open.push(id);
                continue;
            };
            match response.json().get("status").and_then(Value::as_str) {
                Some("Succeeded") => {
                    ends.insert(id, response.header("etag").to_owned());
                }
                Some(end @ ("Failed" | "Canceled")) => bail!("task {id} ended {end}: {}", response.text),
                _ if response.status() == 404 => bail!("task {id} was accepted and is gone"),
                _ => still_open.push(id),
            }
        }
        open = still_open;
        std::thread::sleep(POLL_PAUSE);
    }
    Ok(ends)
}

/// Checks that no task has changed since it ended.
///
/// # Errors
/// When one has, or there is no response.
pub fn check_unchanged(base: &str, ends: &BTreeMap<String, String>) -> Result<()> {
    let client = Client::default();
    for (id, etag) in ends {
        if client.get(&format!("{base}/tasks/{id}"))?.header("etag") != etag {
            bail!("task {id} changed after its end");
        }
    }
    Ok(())
}
