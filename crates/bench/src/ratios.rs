//! What one thing costs in terms of another.

use anyhow::{Context as _, Result};
use bench::{Comparison, Ratio, Table};
use bytes::Bytes;
use host::Blueprint;
use http::header::{ETAG, IF_NONE_MATCH};
use test_world::application::request;

use crate::world::{Credential, World};

/// Operations that one side does in a round, so that the clock's grain does not matter.
const OPERATIONS: u16 = 32;

/// A usual task.
pub(crate) fn small_task() -> Bytes {
    Bytes::from_static(br#"{"TaskName":"simulate","Input":{"order":4711,"lines":["a","b","c"]}}"#)
}

/// A task whose document does not fit into a message.
fn large_task() -> Bytes {
    Bytes::from(format!(r#"{{"TaskName":"simulate","Input":"{}"}}"#, "x".repeat(100_000)))
}

/// Everything that is compared.
struct Costs<'a> {
    shared_key: &'a World,
    keyless: &'a World,
    small: Bytes,
    large: Bytes,
    /// Path and entity tag of a task that does not change.
    settled: (String, String),
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Health,
    HealthOfNewInstance,
    Submit,
    SubmitOfNewInstance,
    SubmitKeyless,
    SubmitLarge,
    SubmitSixteenAtOnce,
    Monitor,
    NotModified,
    DrainOfOne,
    DrainOfThirtyTwo,
}

/// What is compared with what. The first row is the control: its ratio shows what the others are worth.
const COMPARISONS: [(&str, Side, Side); 11] = [
    ("control: health check / the same", Side::Health, Side::Health),
    ("submit / health check (what two storage requests cost)", Side::Submit, Side::Health),
    ("submit without key / with SharedKey", Side::SubmitKeyless, Side::Submit),
    ("submit of 100 KB / of 70 bytes", Side::SubmitLarge, Side::Submit),
    ("submit, 16 at once / one at a time", Side::SubmitSixteenAtOnce, Side::Submit),
    ("monitor / health check (what one storage request costs)", Side::Monitor, Side::Health),
    ("monitor, 304 / 200", Side::NotModified, Side::Monitor),
    ("drain, per task of 32 / submit", Side::DrainOfThirtyTwo, Side::Submit),
    ("drain of one task / per task of 32", Side::DrainOfOne, Side::DrainOfThirtyTwo),
    ("health check, new instance / warm", Side::HealthOfNewInstance, Side::Health),
    ("submit, new instance / warm", Side::SubmitOfNewInstance, Side::Submit),
];

/// Measures all comparisons.
pub(crate) async fn measure(blueprint: &Blueprint, rounds: usize) -> Result<Table> {
    let no_latency = std::time::Duration::ZERO;
    let shared_key = World::start(blueprint, Credential::SharedKey, no_latency)?;
    let keyless = World::start(blueprint, Credential::Keyless, no_latency)?;
    let mut table = Table::new(&["CPU time of … / of …", "ratio", "middle half", "µs", "µs"]);
    let costs = Costs::prepare(&shared_key, &keyless).await?;
    let mut comparisons = COMPARISONS.map(|_| Comparison::default());
    for round in 0..rounds {
        for ((_, this, that), comparison) in COMPARISONS.iter().zip(&mut comparisons) {
            // Who goes first changes, so that neither side always finds what the other warmed up.
            let (first, second) = if round % 2 == 0 { (this, that) } else { (that, this) };
            let first = costs.of(*first).await?;
            let second = costs.of(*second).await?;
            let (this, that) = if round % 2 == 0 { (first, second) } else { (second, first) };
            comparison.add(this, that);
        }
    }
    for ((name, ..), comparison) in COMPARISONS.iter().zip(&comparisons) {
        table.row(&cells(name, &comparison.ratio().with_context(|| (*name).to_owned())?));
    }
    Ok(table)
}

/// A row of a table of ratios.
pub(crate) fn cells(name: &str, ratio: &Ratio) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.2}", ratio.median),
        format!("{:.2}–{:.2}", ratio.low, ratio.high),
        format!("{:.0}", ratio.costs.0),
        format!("{:.0}", ratio.costs.1),
    ]
}

impl<'a> Costs<'a> {
    async fn prepare(shared_key: &'a World, keyless: &'a World) -> Result<Self> {
        let small = small_task();
        let path = format!("/tasks/{}", shared_key.submit(&small).await?);
        shared_key.drain(1).await?;
        let found = shared_key.call(request("GET", &path, Bytes::new()), 200).await?;
        let etag = found.headers().get(ETAG).context("a monitor has an entity tag")?.to_str()?.to_owned();
        let costs = Self { shared_key, keyless, small, large: large_task(), settled: (path, etag) };
        // Once each, so that tokens are fetched, containers known and instances there.
        for (_, this, that) in COMPARISONS {
            costs.of(this).await?;
            costs.of(that).await?;
        }
        Ok(costs)
    }

    /// CPU time of one operation, in microseconds: the mean of [`OPERATIONS`] of them.
    async fn of(&self, side: Side) -> Result<f64> {
        let (world, one) = (self.shared_key, &self.small);
        let total = match side {
            Side::SubmitSixteenAtOnce => {
                world
                    .cost(async {
                        for _ in 0..OPERATIONS / 16 {
                            world.submit_at_once(one, 16).await?;
                        }
                        Ok(())
                    })
                    .await?
            }
            Side::DrainOfThirtyTwo => {
                world.submit_at_once(one, usize::from(OPERATIONS)).await?;
                world.cost(world.drain(OPERATIONS.into())).await?
            }
            _ => {
                let mut total = 0.0;
                for _ in 0..OPERATIONS {
                    total += self.once(side).await?;
                }
                total
            }
        };
        self.empty_queues(side).await?;
        Ok(total / f64::from(OPERATIONS))
    }

    async fn once(&self, side: Side) -> Result<f64> {
        let world = self.shared_key;
        match side {
            Side::HealthOfNewInstance | Side::SubmitOfNewInstance => world.renew_api().await,
            Side::DrainOfOne => drop(world.submit(&self.small).await?),
            _ => {}
        }
        match side {
            Side::Health | Side::HealthOfNewInstance => world.cost(world.healthz()).await,
            Side::SubmitKeyless => self.keyless.cost(self.keyless.submit(&self.small)).await,
            Side::SubmitLarge => world.cost(world.submit(&self.large)).await,
            Side::Monitor => world.cost(self.poll(false)).await,
            Side::NotModified => world.cost(self.poll(true)).await,
            Side::DrainOfOne => world.cost(world.drain(1)).await,
            Side::Submit | Side::SubmitOfNewInstance | Side::SubmitSixteenAtOnce | Side::DrainOfThirtyTwo => {
                world.cost(world.submit(&self.small)).await
            }
        }
    }

    async fn poll(&self, known: bool) -> Result<()> {
        let (path, etag) = &self.settled;
        let mut poll = request("GET", path, Bytes::new());
        if known {
            poll.headers_mut().insert(IF_NONE_MATCH, etag.parse()?);
        }
        self.shared_key.call(poll, if known { 304 } else { 200 }).await.map(drop)
    }

    /// Drains what a side has submitted, so that the next one finds queues as empty as this one did.
    async fn empty_queues(&self, side: Side) -> Result<()> {
        match side {
            Side::Submit | Side::SubmitOfNewInstance | Side::SubmitLarge | Side::SubmitSixteenAtOnce => {
                self.shared_key.drain(OPERATIONS.into()).await
            }
            Side::SubmitKeyless => self.keyless.drain(OPERATIONS.into()).await,
            _ => Ok(()),
        }
    }
}
