//! `cargo xtask try-handler`: one task for one handler, on the embedded host, without queue and storage.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use ureq::http::Request;

use crate::artefacts;
use crate::command::{command, root, say};
use crate::handlers::{build, examples, manifest};
use crate::stack::address::free_address;
use crate::stack::http::Client;
use crate::stack::interrupt::{Interrupted, Interrupts};
use crate::stack::process::{Output, Process};
use crate::stack::programs::{Programs, is_built_before};
use crate::stack::{COMPILING, SILENT};

/// The first start compiles the handler to machine code; a Python handler takes 11 s on two cores.
const HEALTHY: Duration = Duration::from_secs(120);
/// Between two looks at the process, its work and signals.
const POLL: Duration = Duration::from_millis(20);
/// What a 500 without a body means: the host responds so to a trap.
const TRAPPED: &str = "and no detail: the handler trapped or used up its memory; what it printed is above";
/// The worker's limit of a result.
const MAX_RESPONSE_BYTES: u64 = 8 * 1024 * 1024;
/// How much of a result is shown.
const MAX_SHOWN_CHARACTERS: usize = 4096;
const TASK: &str = "00000000-0000-4000-8000-000000000001";

/// Options of `try-handler`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct TryOptions {
    /// The handler: a component of spin.toml or a folder in handlers/.
    name: String,

    /// A file with the JSON of `Input`.
    input: PathBuf,

    /// The number of the attempt.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    attempt: u32,

    /// Time limit of the attempt, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86400))]
    timeout: u32,

    /// Use this build of crates/host instead of building it.
    #[arg(long, value_name = "PATH")]
    host_binary: Option<PathBuf>,
}

/// How an attempt ended, as the worker reads the response.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Completed(String),
    Failed(String),
    AnotherAttempt(String),
}

/// Builds and starts the handler alone, sends it a task and shows the response as it arrives.
///
/// # Errors
/// When it cannot be built or started, or does not complete the task.
pub(crate) fn run(options: &TryOptions) -> Result<()> {
    let text = std::fs::read_to_string(&options.input)
        .with_context(|| format!("cannot read {}", options.input.display()))?;
    let input: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", options.input.display()))?;
    let own = std::fs::read_to_string(root().join("spin.toml")).context("cannot read spin.toml")?;
    let alone = manifest::alone(&own, &options.name)
        .or_else(|_| examples::text().and_then(|text| manifest::alone(&text, &options.name)))?;
    if !is_built_before() {
        artefacts::adapters()?;
        build::handlers(&root(), &alone)?;
    }
    let host = match &options.host_binary {
        Some(path) => path.clone(),
        None if is_built_before() => Programs::built_before(&["host"])?.get("host")?.clone(),
        None => Programs::build(&[("host", "host")], &[])?.get("host")?.clone(),
    };
    let manifest = tempfile::Builder::new().prefix(".spin-try-").suffix(".toml").tempfile_in(root())?;
    std::fs::write(manifest.path(), alone).context("cannot write the manifest")?;
    // From here on a signal has to end the host too, which is in a process group of its own.
    let mut interrupts = Interrupts::catch()?;
    let (mut process, base) = start(&host, manifest.path(), &mut interrupts)?;
    let outcome = with_process(&mut process, &mut interrupts, || send(&base, options, &input));
    process.stop();
    match outcome? {
        End::Completed(_) => Ok(()),
        End::Failed(_) | End::AnotherAttempt(_) => bail!("the task was not completed"),
    }
}

fn start(host: &Path, manifest: &Path, interrupts: &mut Interrupts) -> Result<(Process, String)> {
    let address = free_address()?;
    let mut host = command(&host.to_string_lossy());
    host.args(["up", "--from"]).arg(manifest).args(["--listen", &address.to_string()]);
    say("starting the handler");
    let mut process = Process::start("host", &mut host, &Output::Terminal, Duration::from_secs(10))?;
    let base = format!("http://{address}");
    let (client, started) = (Client::default(), Instant::now());
    let mut is_said = false;
    while !client
        .get(&format!("{base}/.well-known/spin/health"))
        .is_ok_and(|response| response.status() == 200)
    {
        if let Some(status) = process.ended() {
            bail!("the host ended ({status})");
        }
        if interrupts.arrived() {
            bail!(Interrupted);
        }
        if started.elapsed() > HEALTHY {
            bail!("the host is not ready after {HEALTHY:?}");
        }
        if started.elapsed() > SILENT && !is_said {
            say(COMPILING);
            is_said = true;
        }
        std::thread::sleep(POLL);
    }
    Ok((process, base))
}

/// Does `work`, which waits for the process. A signal ends the process at once, and so the work.
fn with_process<T: Send>(
    process: &mut Process,
    interrupts: &mut Interrupts,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    std::thread::scope(|scope| {
        let work = scope.spawn(work);
        while !work.is_finished() {
            if interrupts.arrived() {
                process.kill();
                bail!(Interrupted);
            }
            std::thread::sleep(POLL);
        }
        work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn send(base: &str, options: &TryOptions, input: &Value) -> Result<End> {
    let limit = Duration::from_secs(options.timeout.into());
    let deadline = (OffsetDateTime::now_utc() + limit).format(&Rfc3339)?;
    let task = json!({
        "id": TASK, "name": options.name, "description": "", "priority": "Medium", "attempt": options.attempt,
        "input": input,
    });
    let request = Request::post(format!("{base}/"))
        .header("content-type", "application/json")
        .header("accepted-protocol", "1")
        .header("accepted-deadline", deadline)
        .header("accepted-timeout-ms", limit.as_millis().to_string())
        .header("idempotency-key", format!("\"{TASK}\""))
        .body(task.to_string())?;
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(limit));
    let agent: ureq::Agent = config.max_redirects(0).proxy(None).build().into();
    let started = Instant::now();
    let response = agent.run(request).with_context(|| format!("no response within {limit:?}"))?;
    let (head, body) = response.into_parts();
    let media_type =
        head.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let status = head.status.as_u16();
    let mut body = BufReader::new(body.into_reader().take(MAX_RESPONSE_BYTES));
    let end = if status == 200 && media_type.starts_with("application/x-ndjson") {
        let mut end = None;
        for line in body.lines() {
            let line = line.context("the response broke off")?;
            println!("{:>7} ms  {line}", started.elapsed().as_millis());
            end = last_line(&line).or(end);
        }
        end.unwrap_or_else(|| End::AnotherAttempt("the response ended without a result".to_owned()))
    } else {
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).context("the response broke off")?;
        whole(status, media_type, &bytes)
    };
    let (word, detail) = match &end {
        End::Completed(detail) => ("completed", detail),
        End::Failed(detail) => ("failed", detail),
        End::AnotherAttempt(detail) => ("another attempt follows", detail),
    };
    println!("{:>7} ms  {word}: {detail}", started.elapsed().as_millis());
    Ok(end)
}

/// What a line of JSON says about the end; `None` for progress.
fn last_line(line: &str) -> Option<End> {
    let line: Value = serde_json::from_str(line).ok()?;
    if let Some(error) = line.get("error").filter(|error| !error.is_null()) {
        let is_temporary = error.get("retryable").and_then(Value::as_bool) == Some(true);
        return Some(if is_temporary {
            End::AnotherAttempt(error.to_string())
        } else {
            End::Failed(error.to_string())
        });
    }
    line.get("result").map(|result| End::Completed(shown(&result.to_string())))
}

fn whole(status: u16, media_type: &str, body: &[u8]) -> End {
    let text = match std::str::from_utf8(body) {
        Ok(text) => shown(text),
        Err(_) => format!("{} bytes", body.len()),
    };
    match status {
        200 | 204 if body.is_empty() => End::Completed("no result".to_owned()),
        200 => End::Completed(format!("{media_type}, {} bytes\n{text}", body.len())),
        500 if body.is_empty() => End::AnotherAttempt(format!("status 500 {TRAPPED}")),
        408 | 429 | 500..=599 => End::AnotherAttempt(format!("status {status} {text}")),
        _ => End::Failed(format!("status {status} {text}")),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::{Pid, test_kill_process};
    use signal_hook::consts::SIGINT;
    use signal_hook::low_level::raise;

    use super::*;

    #[test]
    fn signal_ends_the_host_and_the_request_that_waits_for_it() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let (mut command, output) = (Command::new("sh"), Output::File(log.path().to_owned()));
        let script = ["-c", "echo $$; exec sleep 300"];
        let mut host =
            Process::start("host", command.args(script), &output, Duration::from_secs(10)).unwrap();
        let pid = host.wait_until_ready(Duration::from_secs(10), |line| Pid::from_raw(line.parse().ok()?));
        let pid = pid.unwrap();
        let mut interrupts = Interrupts::catch().unwrap();
        let error = with_process(&mut host, &mut interrupts, || {
            raise(SIGINT).unwrap();
            // Like a request: it fails when the host has ended, and not before.
            let deadline = Instant::now() + Duration::from_secs(10);
            while Instant::now() < deadline && test_kill_process(pid).is_ok() {
                std::thread::sleep(POLL);
            }
            Ok(())
        });
        assert!(error.unwrap_err().is::<Interrupted>());
        assert!(host.ended().is_some());
    }

    #[test]
    fn response_means_what_it_means_to_the_worker() {
        for (status, body, expected) in [
            (200, "{}", End::Completed("a/b, 2 bytes\n{}".to_owned())),
            (204, "", End::Completed("no result".to_owned())),
            (422, "x", End::Failed("status 422 x".to_owned())),
            (302, "", End::Failed("status 302 ".to_owned())),
            (503, "x", End::AnotherAttempt("status 503 x".to_owned())),
            (429, "", End::AnotherAttempt("status 429 ".to_owned())),
            (500, "x", End::AnotherAttempt("status 500 x".to_owned())),
            (500, "", End::AnotherAttempt(format!("status 500 {TRAPPED}"))),
        ] {
            assert_eq!(whole(status, "a/b", body.as_bytes()), expected);
        }
    }

    #[test]
    fn last_line_ends_the_attempt_and_progress_does_not() {
        assert_eq!(last_line(r#"{"percentComplete":3}"#), None);
        assert_eq!(last_line("{}"), None);
        assert_eq!(last_line(r#"{"result":{"a":1}}"#), Some(End::Completed(r#"{"a":1}"#.to_owned())));
        assert_eq!(last_line(r#"{"error":{"code":"c"}}"#), Some(End::Failed(r#"{"code":"c"}"#.to_owned())));
        let again = r#"{"code":"c","retryable":true}"#;
        assert_eq!(last_line(&format!("{{\"error\":{again}}}")), Some(End::AnotherAttempt(again.to_owned())));
    }
}
