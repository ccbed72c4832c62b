//! How long one waits for storage, in round trips: exact, because time is virtual and storage takes always
//! the same.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bench::Table;
use bytes::Bytes;
use host::Blueprint;
use http::header::{ETAG, IF_NONE_MATCH};
use test_world::application::request;
use tokio::time::Instant;

use crate::ratios::small_task;
use crate::world::{Credential, World};

/// What each request to storage takes. Long against the millisecond that the handler works.
const LATENCY: Duration = Duration::from_millis(200);

/// Waits of the main operations, as multiples of what storage takes.
pub(crate) async fn measure(blueprint: &Blueprint) -> Result<Table> {
    let mut table =
        Table::new(&["Waits for storage, in round trips one after the other", "SharedKey", "no key"]);
    let with_key = rows(blueprint, Credential::SharedKey).await?;
    let keyless = rows(blueprint, Credential::Keyless).await?;
    for ((name, with_key), (_, keyless)) in with_key.into_iter().zip(keyless) {
        table.row(&[name.to_owned(), with_key, keyless]);
    }
    Ok(table)
}

async fn rows(blueprint: &Blueprint, credential: Credential) -> Result<Vec<(&'static str, String)>> {
    let world = World::start(blueprint, credential, LATENCY)?;
    let task = small_task();
    let mut rows = Vec::new();
    rows.push((
        "first submit of a new account (makes container and queue)",
        trips(world.submit(&task)).await?.0,
    ));
    world.drain(1).await?;
    world.renew_api().await;
    rows.push(("first submit of a new instance", trips(world.submit(&task)).await?.0));
    let (submit, id) = trips(world.submit(&task)).await?;
    rows.push(("submit", submit));
    let path = format!("/tasks/{id}");
    let (monitor, found) = trips(world.call(request("GET", &path, Bytes::new()), 200)).await?;
    rows.push(("monitor", monitor));
    let mut poll = request("GET", &path, Bytes::new());
    poll.headers_mut().insert(IF_NONE_MATCH, found.headers().get(ETAG).context("an entity tag")?.clone());
    rows.push(("monitor, 304", trips(world.call(poll, 304)).await?.0));
    rows.push(("health check", trips(world.healthz()).await?.0));
    world.drain(2).await?;
    rows.push(("drain of an empty queue, with a sweep", trips(world.drain(0)).await?.0));
    rows.push(("drain of an empty queue, again", trips(world.drain(0)).await?.0));
    world.submit(&task).await?;
    rows.push(("drain of one task", trips(world.drain(1)).await?.0));
    rows.push((
        "32 submits at once, to one instance and new ones",
        trips(world.submit_at_once(&task, 32)).await?.0,
    ));
    rows.push(("drain of 32 tasks", trips(world.drain(32)).await?.0));
    world.submit_at_once(&task, 128).await?;
    rows.push(("drain of 128 tasks", trips(world.drain(128)).await?.0));
    Ok(rows)
}

/// What `work` gives, and how many round trips it took.
async fn trips<T>(work: impl Future<Output = Result<T>>) -> Result<(String, T)> {
    let start = Instant::now();
    let outcome = work.await?;
    let trips = start.elapsed().as_secs_f64() / LATENCY.as_secs_f64();
    Ok((format!("{trips:.0}"), outcome))
}
