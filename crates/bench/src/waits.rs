//! What a thousand clients that wait for tasks cost, in requests to storage and in CPU time.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bench::Table;
use bytes::Bytes;
use futures::future::try_join_all;
use host::Blueprint;
use http::{HeaderName, HeaderValue};
use test_world::application::request;
use test_world::growth;

use crate::world::{Credential, World};

const CLIENTS: u32 = 1000;
/// Seconds of one wait, the longest that the API grants.
const WAIT_SECONDS: u32 = 30;
const LATENCY: Duration = Duration::from_millis(5);
/// Between the arrivals of two clients: an instance has then accepted the one when the other arrives.
const ARRIVAL_INTERVAL: Duration = Duration::from_millis(1);

/// Requests and CPU time by the number of tasks that the clients follow, against clients that poll every second.
pub(crate) async fn measure(blueprint: &Blueprint) -> Result<Table> {
    let mut table =
        Table::new(&["1,000 clients", "storage requests/s", "CPU ms/s", "CPU of polling each second"]);
    let polled = poll(blueprint).await?;
    for (name, tasks, interval) in [
        ("wait for one task", 1, ARRIVAL_INTERVAL),
        ("wait for 10 tasks", 10, ARRIVAL_INTERVAL),
        ("wait for a task each", CLIENTS, ARRIVAL_INTERVAL),
        ("wait for one task, arriving at once", 1, Duration::ZERO),
    ] {
        let world = start(blueprint)?;
        let (requests, cpu) = wait(&world, tasks, interval).await?;
        table.row(&[
            name.to_owned(),
            format!("{requests:.0}"),
            format!("{cpu:.0}"),
            format!("{:.2}", cpu / polled),
        ]);
    }
    table.row(&["poll each second".to_owned(), "1000".to_owned(), format!("{polled:.0}"), "1".to_owned()]);
    Ok(table)
}

fn start(blueprint: &Blueprint) -> Result<World> {
    let world = World::start(blueprint, Credential::SharedKey, LATENCY)?;
    world.fill(0, CLIENTS);
    Ok(world)
}

/// Requests and CPU milliseconds of a second in which all clients wait.
async fn wait(world: &World, tasks: u32, interval: Duration) -> Result<(f64, f64)> {
    let clients = (0..CLIENTS).map(|number| async move {
        let mut wait = request("GET", &growth::path(number % tasks), Bytes::new());
        let preference = HeaderValue::from_str(&format!("wait={WAIT_SECONDS}")).context("a header value")?;
        wait.headers_mut().insert(HeaderName::from_static("prefer"), preference);
        tokio::time::sleep(interval * number).await;
        world.call(wait, 200).await
    });
    let before = world.requests();
    let cpu = world.cost(async { try_join_all(clients).await }).await?;
    let requests = u32::try_from(world.requests() - before)?;
    Ok((f64::from(requests) / f64::from(WAIT_SECONDS), cpu / 1e3 / f64::from(WAIT_SECONDS)))
}

/// CPU milliseconds of a second in which each client polls once, sixteen at a time.
async fn poll(blueprint: &Blueprint) -> Result<f64> {
    let world = start(blueprint)?;
    let path = growth::path(0);
    let sixteen = || try_join_all((0..16).map(|_| world.call(request("GET", &path, Bytes::new()), 200)));
    sixteen().await?;
    let cpu = world
        .cost(async {
            for _ in 0..CLIENTS / 16 {
                sixteen().await?;
            }
            Ok(())
        })
        .await?;
    Ok(cpu / 1e3 * f64::from(CLIENTS) / f64::from(CLIENTS / 16 * 16))
}
