//! What a submission costs above the least that it can cost: the product against a component that makes the same two
//! requests and nothing else (`crates/bench/floor`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use bench::{Comparison, Table};
use bytes::Bytes;
use host::{App, Limits, Options, Outbound, OutboundError, Outgoing, Providers};
use http::{Method, Request, Response};
use test_world::application::{request, shared_key_variables};

use crate::cpu;
use crate::ratios::{cells, small_task};
use crate::sizes::TARGET;
use crate::world::{Failures, blueprint, cargo_build, root};

/// Submissions of one side in a round, so that the clock's grain does not matter.
const SUBMISSIONS: u16 = 64;

/// The response to Put Message.
const MESSAGE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList><QueueMessage>\
<MessageId>0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b</MessageId><InsertionTime>Fri, 20 Nov 2026 10:00:00 GMT</InsertionTime>\
<ExpirationTime>Fri, 27 Nov 2026 10:00:00 GMT</ExpirationTime><PopReceipt>AgAAAAMAAAAAAAAA</PopReceipt>\
<TimeNextVisible>Fri, 20 Nov 2026 10:00:00 GMT</TimeNextVisible></QueueMessage></QueueMessagesList>";

/// CPU time of a submission to the product, in terms of one to the floor component.
pub(crate) async fn measure(rounds: usize) -> Result<Table> {
    build()?;
    let mut table = Table::new(&["CPU time of … / of …", "ratio", "middle half", "µs", "µs"]);
    let product = start("spin.toml")?;
    let floor = start("crates/bench/floor/spin.toml")?;
    for (name, at_once) in [("submit, product / floor", 1), ("submit, 16 at once, product / floor", 16)] {
        let mut comparison = Comparison::default();
        for round in 0..=rounds {
            let this = cost(&product, at_once).await?;
            let that = cost(&floor, at_once).await?;
            // The first round warms both sides up.
            if round > 0 {
                comparison.add(this, that);
            }
        }
        table.row(&cells(name, &comparison.ratio()?));
    }
    Ok(table)
}

/// Builds the floor component.
pub(crate) fn build() -> Result<()> {
    cargo_build(&["--release", "--target", TARGET, "--target-dir", "target", "--package", "floor"])
}

/// Starts the application of a manifest. Both get the same responses from storage, which checks nothing.
fn start(manifest: &str) -> Result<App> {
    let blueprint = blueprint(&root().join(manifest))?;
    let is_product = blueprint.manifest().variables.contains_key("storage_connection_string");
    let variables = if is_product { shared_key_variables() } else { BTreeMap::new() };
    Ok(blueprint.start(Options {
        providers: Providers::only(variables),
        outbound: Outbound::in_process(|outgoing: Outgoing| async move {
            respond(&outgoing.request).map_err(|_| OutboundError::InternalError(None))
        }),
        log: Arc::new(Failures),
        limits: Limits {
            max_instance_reuse_count: usize::MAX,
            idle_instance_timeout: Duration::from_secs(3600),
            ..Limits::default()
        },
        ..Options::default()
    })?)
}

/// The responses to Put Blob and Put Message.
pub(crate) fn respond(request: &Request<Bytes>) -> http::Result<Response<Bytes>> {
    let response = Response::builder().status(201).header("date", "Fri, 20 Nov 2026 10:00:00 GMT");
    if *request.method() == Method::PUT {
        return response
            .header("etag", "\"0x8DCFA1B2C3D4E5F\"")
            .header("content-length", "0")
            .body(Bytes::new());
    }
    let response = response.header("content-type", "application/xml").header("content-length", MESSAGE.len());
    response.body(Bytes::from_static(MESSAGE.as_bytes()))
}

/// CPU time of one submission, in microseconds: the mean of [`SUBMISSIONS`] of them.
async fn cost(app: &App, at_once: u16) -> Result<f64> {
    let before = cpu::used();
    for _ in 0..SUBMISSIONS / at_once {
        let submissions = (0..at_once).map(|_| app.call(request("POST", "/tasks", small_task())));
        for response in futures::future::join_all(submissions).await {
            let response = response?;
            ensure!(response.status() == 202, "{}: {:?}", response.status(), response.body());
        }
    }
    Ok(cpu::used().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(SUBMISSIONS))
}
