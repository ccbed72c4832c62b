//! What operations cost in requests to storage, by how much is stored: exact.

use std::time::Duration;

use anyhow::Result;
use bench::Table;
use host::Blueprint;
use test_world::growth::{self, Busy, Idle};

use crate::world::{Credential, World};

/// Stored documents, and messages where there are any.
const STORED: [u32; 3] = [100, 10_000, 1_000_000];
const LATENCY: Duration = Duration::from_millis(5);

/// Requests of each operation for each number of documents.
pub(crate) async fn measure(blueprint: &Blueprint) -> Result<Table> {
    let mut columns = Vec::new();
    for stored in STORED {
        let world = start(blueprint, stored, stored)?;
        let Busy { submit, poll, list, next_page, per_task, .. } =
            growth::busy(async |request| world.respond(request).await, world.storage()).await;
        drop(world);
        let world = start(blueprint, stored, 0)?;
        let Idle { pass, drain } =
            growth::idle(async |request| world.respond(request).await, world.storage()).await;
        let whole = |number: u64| number.to_string();
        columns.push([
            whole(submit),
            whole(poll),
            whole(list),
            whole(next_page),
            format!("{per_task:.2}"),
            whole(drain),
            whole(pass),
        ]);
    }
    let names = [
        "submit",
        "poll",
        "list, first page of 50",
        "list, next page",
        "drain, per task",
        "drain of an empty queue",
        "pass of the sweep",
    ];
    let headings: Vec<String> = STORED.map(|stored| format!("{stored} stored")).into();
    let mut table = Table::new(
        &[&["Requests to storage"], headings.iter().map(String::as_str).collect::<Vec<_>>().as_slice()]
            .concat(),
    );
    for (row, name) in names.into_iter().enumerate() {
        let cells = columns.iter().filter_map(|column| column.get(row).cloned());
        table.row(&std::iter::once(name.to_owned()).chain(cells).collect::<Vec<_>>());
    }
    Ok(table)
}

fn start(blueprint: &Blueprint, ended: u32, waiting: u32) -> Result<World> {
    // The drain is measured on some of the messages; to drain a million takes too long.
    let set = [("drain_seconds", "1")];
    let world = World::start_with(blueprint, Credential::SharedKey, LATENCY, &set)?;
    world.fill(ended, waiting);
    Ok(world)
}
