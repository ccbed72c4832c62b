//! What a drained task takes on Spin: time, CPU time, and how busy the core is.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bench::Table;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::emulator::Emulator;
use super::load::Load;
use super::median;
use super::process::{self, DRAIN_TOKEN, Spin};
use crate::world::root;

/// Latencies of storage, in milliseconds.
const LATENCIES: [u64; 2] = [0, 5];
/// Tasks of a round: several seconds of work, so that the 10 ms steps of CPU times and the ends of the loops do not count.
const TASKS: usize = 8000;
const CONNECTIONS: usize = 64;
/// Drains side by side, as many as the launcher has by default.
const LOOPS: usize = 2;
/// The longest time of one drain, several times its budget.
const MAX_DRAIN: Duration = Duration::from_secs(120);

/// Drains `checksum` tasks, which compute the least of the built-in handlers.
pub(super) async fn measure(rounds: usize) -> Result<Table> {
    let program = process::find()?;
    process::use_other_core()?;
    let task = Bytes::from_static(br#"{"TaskName":"checksum","Input":"abc"}"#);
    let mut table =
        Table::new(&["Drain on Spin", "tasks/s", "CPU of a task, µs", "core busy", "range of tasks/s"]);
    for latency in LATENCIES {
        let emulator = Emulator::start(Duration::from_millis(latency))?;
        let manifest = root().join("spin.toml");
        let spin = Spin::start(&program, &manifest, &["api", "worker"], emulator.endpoints, &[]).await?;
        let (mut rates, mut costs, mut busy) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=rounds {
            let (elapsed, cpu) = turn(&spin, &task, TASKS).await?;
            // The first round warms up.
            if round > 0 {
                rates.push(TASKS as f64 / elapsed.as_secs_f64());
                costs.push(cpu.as_secs_f64() * 1e6 / TASKS as f64);
                busy.push(cpu.as_secs_f64() / elapsed.as_secs_f64());
            }
        }
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rates.iter().copied().fold(0.0, f64::max);
        table.row(&[
            format!("storage with {latency} ms"),
            format!("{:.0}", median(rates)),
            format!("{:.0}", median(costs)),
            format!("{:.2}", median(busy)),
            format!("{least:.0}–{most:.0}"),
        ]);
    }
    Ok(table)
}

/// Submits a task so many times and drains. Returns the time and CPU time of the drains.
pub(super) async fn turn(spin: &Spin, task: &Bytes, tasks: usize) -> Result<(Duration, Duration)> {
    let task = task.clone();
    Load { address: spin.address, connections: CONNECTIONS, submissions: tasks, task }.run().await?;
    let (start, before) = (Instant::now(), spin.cpu()?);
    let drains = (0..LOOPS).map(|index| drain_until_empty(spin, index));
    let completed: u64 = futures::future::try_join_all(drains).await?.into_iter().sum();
    let (elapsed, cpu) = (start.elapsed(), spin.cpu()?.saturating_sub(before));
    ensure!(completed == tasks as u64, "{completed} of {tasks} tasks were completed");
    Ok((elapsed, cpu))
}

/// Drains until a drain received nothing. Returns how many tasks were completed.
async fn drain_until_empty(spin: &Spin, index: usize) -> Result<u64> {
    let mut completed = 0;
    loop {
        let report =
            tokio::time::timeout(MAX_DRAIN, drain(spin, index)).await.context("a drain does not end")??;
        let count =
            |name: &str| report.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}"));
        completed += count("completed")?;
        if count("received")? == 0 {
            return Ok(completed);
        }
    }
}

async fn drain(spin: &Spin, index: usize) -> Result<Value> {
    let stream = TcpStream::connect(spin.address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the response; a failure fails the request.
    let _driver = tokio::spawn(connection);
    let request = Request::post("/drain")
        .header(HOST, spin.address.to_string())
        .header(AUTHORIZATION, format!("Bearer {DRAIN_TOKEN}"))
        .header("drain-share", format!("{index}/{LOOPS}"))
        .header(CONTENT_LENGTH, 0)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    ensure!(status == 200, "{status}: {body:?}");
    serde_json::from_slice(&body).context("a drain's report is JSON")
}
