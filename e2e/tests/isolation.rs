//! Handlers that misbehave hurt only their own task, although they share a process with others.
//!
//! The host of the handlers is a real process, as in the container. A handler that computes without end makes the launcher kill
//! it; the other tasks are then tried again, and that counts for none of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::system::System;
use serde_json::{Value, json};
use xtask::root;
use xtask::stack::address::free_address;
use xtask::stack::http::Client;
use xtask::stack::programs::prepare_test_handler;

/// What the error of a task says on Spin, which responds to every trap likewise.
const TRAPPED: &str = "the handler trapped or used up its memory";
/// What handlers do, and what the error of their task must say.
const ROWS: [(&str, &str); 7] = [
    ("trap", TRAPPED),
    ("loop", "stopped after 3 seconds"),
    ("allocate", TRAPPED),
    ("never", "stopped after 3 seconds"),
    ("endless", "larger than 1048576 bytes"),
    ("forbidden", "the host is denied"),
    ("forge", "not a JSON object with the members of a progress line"),
];
/// Tasks whose handler does its work.
const NEIGHBOURS: usize = 12;
/// For everything, on a slow machine.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn misbehaving_handlers_hurt_only_their_own_task() {
    if let Err(error) = System::new("isolation", Vec::new()).and_then(|system| misbehave(&system)) {
        panic!("{error:#}");
    }
}

fn misbehave(system: &System) -> Result<()> {
    let started = Instant::now();
    let manifest = manifest()?;
    let (address, of_handlers) = (free_address()?.to_string(), free_address()?.to_string());
    let _storage = system.storage()?;
    let _replica = system.replica(&manifest, &address, &of_handlers)?;
    let base = format!("http://{address}");
    let client = Client::default();
    let submit = |name: &str, input: &str| -> Result<String> {
        let task = json!({"TaskName": name, "Input": input});
        loop {
            match client.post(&format!("{base}/tasks"), &task) {
                Ok(response) if response.status() == 202 => {
                    return response
                        .json()
                        .get("id")
                        .and_then(Value::as_str)
                        .map(str::to_owned)
                        .context("an id");
                }
                Ok(response) if response.status() < 500 => bail!("{}: {}", response.status(), response.text),
                _ if started.elapsed() > LIMIT => bail!("nothing is accepted; see {}", system.log()),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    };
    let neighbours: Vec<_> = (0..NEIGHBOURS).map(|_| submit("steady", "work")).collect::<Result<_>>()?;
    let rows: Vec<_> = ROWS
        .iter()
        .map(|(kind, words)| Ok((*kind, *words, submit(&format!("bad.{kind}"), kind)?)))
        .collect::<Result<_>>()?;
    let ended = |id: &String| -> Result<Value> {
        loop {
            let task = client.get(&format!("{base}/tasks/{id}"))?.json();
            match task.get("status").and_then(Value::as_str) {
                Some("Succeeded" | "Failed" | "Canceled") => return Ok(task),
                _ if started.elapsed() > LIMIT => bail!("{task} has not ended; see {}", system.log()),
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    };
    for id in &neighbours {
        let task = ended(id)?;
        ensure!(task.get("status") == Some(&json!("Succeeded")), "a neighbour: {task}; see {}", system.log());
        ensure!(task.get("result") == Some(&json!(id)), "the result of another task: {task}");
    }
    for (kind, words, id) in &rows {
        let task = ended(id)?;
        let error = task.get("error").map(Value::to_string).unwrap_or_default();
        let words = match *kind {
            "trap" if system.is_embedded() => "the latest attempt failed: the handler trapped\"",
            "allocate" if system.is_embedded() => "the handler used up its memory and trapped",
            _ => words,
        };
        ensure!(task.get("status") == Some(&json!("Failed")) && error.contains(words), "{kind}: {task}");
    }
    let log = std::fs::read_to_string(system.log()).context("there is a log")?;
    ensure!(log.contains("a handler did not end in time"), "the loop ended by itself; see {}", system.log());
    Ok(())
}

/// Writes the manifest of the application with two more components. Nothing else registers them.
fn manifest() -> Result<PathBuf> {
    let handler = prepare_test_handler()?;
    let text = std::fs::read_to_string(root().join("spin.toml")).context("there is a manifest")?;
    let absolute = |path: &str| root().join(path).display().to_string();
    let bad = json!({
        "handler": "misbehaving", "task_timeout_seconds": 3, "max_dequeue_count": 3,
        "max_result_bytes": 1_048_576, "retry_base_seconds": 1, "retry_cap_seconds": 1
    });
    let rules = json!({
        "bad.*": bad,
        "steady": {"handler": "steady", "task_timeout_seconds": 60, "max_dequeue_count": 5}
    });
    let default = "task_handlers = { default = \"{}\" }";
    ensure!(text.contains(default), "the manifest registers handlers of its own");
    let mut text = text
        .replace(default, &format!("task_handlers = {{ default = '{rules}' }}"))
        .replace("source = \"target/", &format!("source = \"{}/", absolute("target")))
        .replace("source = \"web/pages\"", &format!("source = \"{}\"", absolute("web/pages")));
    for id in ["misbehaving", "steady"] {
        text += &format!(
            "\n[[trigger.http]]\nroute = {{ private = true }}\ncomponent = \"{id}\"\n\n[component.{id}]\nsource = \"{}\"\n",
            handler.display()
        );
    }
    let path = root().join("target/e2e/isolation.toml");
    std::fs::write(&path, text).context("cannot write target/e2e")?;
    Ok(path)
}
