//! What a task costs on Spin whose handler is a component of its own, in terms of one in the worker.

use std::time::Duration;

use anyhow::Result;
use bench::{Comparison, Table};

use super::drains::turn;
use super::emulator::Emulator;
use super::process::{self, Spin};
use crate::handlers::{BUILT_IN, Manifest, RUST, TEXT, rules, task};
use crate::ratios::cells;

/// Tasks of one side in a round. The kernel accounts CPU time in steps of 10 ms, which are 1 % of this load.
const TASKS: usize = 2000;

/// CPU time of Spin for a task from its receipt to its outcome.
pub(super) async fn measure(rounds: usize) -> Result<Table> {
    let program = process::find()?;
    process::use_other_core()?;
    let emulator = Emulator::start(Duration::ZERO)?;
    let manifest = Manifest::with_handlers(&RUST)?;
    let components = ["api", "worker", RUST[0].name, RUST[1].name];
    let set = [("TASK_HANDLERS", &*rules(&RUST))];
    let spin = Spin::start(&program, &manifest.0, &components, emulator.endpoints, &set).await?;
    let mut table =
        Table::new(&["CPU time of a task on Spin, … / text-statistics", "ratio", "middle half", "µs", "µs"]);
    for example in RUST {
        let (chained, own) = (task(example.name, example.input), task(BUILT_IN, TEXT));
        let mut comparison = Comparison::default();
        for round in 0..=rounds {
            // Who goes first changes, so that neither side always finds what the other warmed up.
            let (first, second) = if round % 2 == 0 { (&chained, &own) } else { (&own, &chained) };
            let mut costs = Vec::new();
            for task in [first, second] {
                let (_, cpu) = turn(&spin, task, TASKS).await?;
                costs.push(cpu.as_secs_f64() * 1e6 / TASKS as f64);
            }
            if round % 2 != 0 {
                costs.reverse();
            }
            // The first round warms both sides up.
            if let ([chained, own], true) = (&*costs, round > 0) {
                comparison.add(*chained, *own);
            }
        }
        table.row(&cells(example.name, &comparison.ratio()?));
    }
    Ok(table)
}
