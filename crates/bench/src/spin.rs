//! The product on Spin: processes on one core, sockets in between, storage and load on another core.

mod drains;
mod emulator;
mod handlers;
mod load;
mod process;
mod storage;

use std::time::Duration;

use anyhow::{Context as _, Result};
use bench::{Comparison, Table};

use crate::floor;
use crate::ratios::{cells, small_task};
use crate::world::{absolute, root, scratch};
use load::{Load, Outcome};
use process::{Endpoints, Spin};

/// Connections that submit at the same time.
const CONNECTIONS: [usize; 2] = [16, 64];
/// Submissions of one side in a round. The kernel accounts CPU time in steps of 10 ms, which are 1 % of this load.
const SUBMISSIONS: usize = 2000;

/// A submission to the product in terms of one to the floor component, in turns: CPU time of the process, throughput
/// and latency.
///
/// # Errors
/// If there is no Spin, it does not start, or a submission fails.
pub(crate) fn submissions(rounds: usize) -> Result<Vec<Table>> {
    floor::build()?;
    in_real_time(compare(rounds))
}

/// What drained tasks take, by the latency of storage.
///
/// # Errors
/// If there is no Spin, it or the emulator does not start, or a request fails.
pub(crate) fn drains(rounds: usize) -> Result<Vec<Table>> {
    emulator::build()?;
    Ok(vec![in_real_time(drains::measure(rounds))?])
}

/// What a task costs whose handler is a component of its own.
///
/// # Errors
/// If there is no Spin, it or the emulator does not start, or a request fails.
pub(crate) fn handlers(rounds: usize) -> Result<Vec<Table>> {
    emulator::build()?;
    crate::handlers::build()?;
    Ok(vec![in_real_time(handlers::measure(rounds))?])
}

/// Own runtime: that of the other measurements has a virtual clock.
fn in_real_time<T>(measurement: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measurement)
}

async fn compare(rounds: usize) -> Result<Vec<Table>> {
    let program = process::find()?;
    process::use_other_core()?;
    let storage = storage::serve().await?;
    let storage = Endpoints { blob: storage, queue: storage };
    let product = Spin::start(&program, &root().join("spin.toml"), &["api"], storage, &[]).await?;
    let floor =
        Spin::start(&program, &root().join("crates/bench/floor/spin.toml"), &["floor"], storage, &[]).await?;
    let mut ratios = Table::new(&["CPU time of … / of …, on Spin", "ratio", "middle half", "µs", "µs"]);
    let mut rates = Table::new(&[
        "On Spin",
        "product/s",
        "floor/s",
        "ratio",
        "p99 of the product, ms",
        "of the floor, ms",
    ]);
    for connections in CONNECTIONS {
        let mut cost = Comparison::default();
        let mut rate = Comparison::default();
        let mut latencies = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            // Who goes first changes, so that neither side always finds what the other warmed up.
            let (this, that) = if round % 2 == 0 {
                let this = turn(&product, connections).await?;
                (this, turn(&floor, connections).await?)
            } else {
                let that = turn(&floor, connections).await?;
                (turn(&product, connections).await?, that)
            };
            // The first round warms both sides up.
            if round > 0 {
                cost.add(this.cpu_us, that.cpu_us);
                rate.add(this.per_second, that.per_second);
                latencies.0.push(this.p99_ms);
                latencies.1.push(that.p99_ms);
            }
        }
        let name = format!("submit, {connections} connections, product / floor");
        ratios.row(&cells(&name, &cost.ratio()?));
        let rate = rate.ratio()?;
        rates.row(&[
            format!("submit, {connections} connections"),
            format!("{:.0}", rate.costs.0),
            format!("{:.0}", rate.costs.1),
            format!("{:.2}", rate.median),
            format!("{:.1}", median(latencies.0)),
            format!("{:.1}", median(latencies.1)),
        ]);
    }
    Ok(vec![ratios, rates])
}

/// What one side took in a round.
struct Turn {
    cpu_us: f64,
    per_second: f64,
    p99_ms: f64,
}

async fn turn(spin: &Spin, connections: usize) -> Result<Turn> {
    let before = spin.cpu()?;
    let Outcome { elapsed, p99 } =
        Load { address: spin.address, connections, submissions: SUBMISSIONS, task: small_task() }
            .run()
            .await?;
    let cpu = spin.cpu()?.saturating_sub(before);
    let each = |time: Duration| time.as_secs_f64() / SUBMISSIONS as f64;
    Ok(Turn { cpu_us: each(cpu) * 1e6, per_second: 1.0 / each(elapsed), p99_ms: p99.as_secs_f64() * 1e3 })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Where Spin's own output goes.
fn log_file(component: &str) -> Result<std::fs::File> {
    let path = absolute(&scratch())?.join(format!("spin-{component}.log"));
    std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))
}
