//! The transcript at the top of README.md is what the system responds.
//!
//! The test sends its requests and compares the responses line by line. `…` in the transcript stands for any text; the
//! address and the id of the task are those of the run.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::system::System;
use serde_json::Value;
use xtask::stack::address::free_address;
use xtask::stack::http::{Client, Response};

/// In the transcript: where the application and its storage are, and the id of the task.
const ADDRESS: &str = "127.0.0.1:3000";
const STORAGE: &str = "127.0.0.1:10000";
const ID: &str = "c1a6dd4b-3c57-4d0e-93a6-6f5f0c7a0b52";
/// By these a shortened id is known.
const ID_PREFIX_CHARS: usize = 8;
/// How long a task may take to succeed, on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A command and what it prints.
struct Exchange {
    url: String,
    /// What `-d` sends.
    body: Option<Value>,
    /// Whether `-i` shows status line and headers.
    shows_head: bool,
    expected: Vec<String>,
}

#[test]
fn readme_transcript_is_what_the_system_responds() {
    let readme = std::fs::read_to_string(xtask::root().join("README.md")).unwrap();
    if let Err(error) = transcript(&readme).and_then(|exchanges| replay(&exchanges)) {
        panic!("{error:#}");
    }
}

/// The exchanges of the first code block that is a transcript.
fn transcript(readme: &str) -> Result<Vec<Exchange>> {
    let block = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let block = block.context("README.md has no transcript")?.replace("\\\n", " ");
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ curl ") {
            Some(arguments) => exchanges.push(command(arguments)?),
            None => exchanges.last_mut().context("it starts with a command")?.expected.push(line.to_owned()),
        }
    }
    Ok(exchanges)
}

/// Reads the arguments of curl that the transcript has.
fn command(arguments: &str) -> Result<Exchange> {
    let mut exchange = Exchange { url: String::new(), body: None, shows_head: false, expected: Vec::new() };
    // Words in quotes are at odd places.
    let parts = arguments.split('\'').enumerate();
    let words: Vec<&str> = parts
        .flat_map(|(place, part)| if place % 2 == 0 { part.split_whitespace().collect() } else { vec![part] })
        .collect();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word {
            "-i" => exchange.shows_head = true,
            "-H" => ensure!(words.next() == Some("Content-Type: application/json"), "another header"),
            "-d" => exchange.body = Some(serde_json::from_str(words.next().context("-d needs a value")?)?),
            url if url.starts_with("http://") => url.clone_into(&mut exchange.url),
            other => bail!("the test does not know curl's {other}"),
        }
    }
    Ok(exchange)
}

fn replay(exchanges: &[Exchange]) -> Result<()> {
    let system = System::new("readme", Vec::new())?;
    let address = free_address()?.to_string();
    let _storage = system.storage()?;
    let _host = system.host(&address)?;
    let _launcher = system.launcher(&address)?;
    let mut id = ID.to_owned();
    for exchange in exchanges {
        let url = exchange.url.replace(ADDRESS, &address).replace(ID, &id);
        let response = send(exchange, &url).context(system.log())?;
        // The first response names the task.
        if let Some(of_response) = response.json().get("id").and_then(Value::as_str) {
            of_response.clone_into(&mut id);
        }
        let of_run = |line: &str| {
            let line = line.replace(ADDRESS, &address).replace(STORAGE, &system.blob_address());
            line.replace(ID, &id).replace(&ID[..ID_PREFIX_CHARS], &id[..ID_PREFIX_CHARS])
        };
        let shown = shown(exchange, &response);
        for line in exchange.expected.iter().filter(|line| !line.is_empty()) {
            let line = of_run(line);
            ensure!(
                shown.iter().any(|shown| matches(&line, shown)),
                "README.md shows\n  {line}\nand the response is\n{}",
                shown.join("\n")
            );
        }
    }
    Ok(())
}

/// Sends a request until there is a response, and reads a task until it has ended.
fn send(exchange: &Exchange, url: &str) -> Result<Response> {
    let client = Client::default();
    let started = Instant::now();
    loop {
        let response = match &exchange.body {
            Some(body) => client.post(url, body),
            None => client.get(url),
        };
        match response {
            Ok(response) if response.status() < 500 && (exchange.body.is_some() || has_ended(&response)) => {
                return Ok(response);
            }
            Ok(response) if started.elapsed() > LIMIT => bail!("no end in time: {}", response.text),
            Err(error) if started.elapsed() > LIMIT => return Err(error),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn has_ended(response: &Response) -> bool {
    !matches!(response.json().get("status").and_then(Value::as_str), Some("NotStarted" | "Running"))
}

/// The lines that curl prints.
fn shown(exchange: &Exchange, response: &Response) -> Vec<String> {
    let head = response.shown();
    let head = head.lines().filter(|_| exchange.shows_head).filter_map(|line| line.strip_prefix("< "));
    head.chain([response.text.as_str()]).map(str::to_owned).collect()
}

/// Whether a line of the transcript is this line of a response.
fn matches(expected: &str, line: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}
