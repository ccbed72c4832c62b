//! Submissions over a number of connections, each of which sends the next one when it has the response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) connections: usize,
    pub(super) submissions: usize,
    /// The body of each.
    pub(super) task: Bytes,
}

pub(super) struct Outcome {
    /// From the first request to the last response.
    pub(super) elapsed: Duration,
    /// 99 of 100 responses took at most this long.
    pub(super) p99: Duration,
}

impl Load {
    /// Sends all submissions.
    pub(super) async fn run(&self) -> Result<Outcome> {
        let begun = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        let start = Instant::now();
        for _ in 0..self.connections {
            let task = self.task.clone();
            tasks.push(tokio::spawn(connection(self.address, Arc::clone(&begun), self.submissions, task)));
        }
        let mut latencies = Vec::with_capacity(self.submissions);
        for task in tasks {
            latencies.extend(task.await??);
        }
        let elapsed = start.elapsed();
        latencies.sort_unstable();
        let at = latencies.len() * 99 / 100;
        let p99 = latencies.get(at.saturating_sub(1)).copied().context("no submission")?;
        Ok(Outcome { elapsed, p99 })
    }
}

/// Submits until `submissions` were begun by all connections. Returns how long each response took.
async fn connection(
    address: SocketAddr,
    begun: Arc<AtomicUsize>,
    submissions: usize,
    task: Bytes,
) -> Result<Vec<Duration>> {
    let stream = TcpStream::connect(address).await?;
    // Otherwise a segment may wait for the delayed acknowledgement of the previous one.
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut latencies = Vec::new();
    while begun.fetch_add(1, Ordering::Relaxed) < submissions {
        let request = Request::post("/tasks")
            .header(HOST, address.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(task.clone()))?;
        let sent = Instant::now();
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        latencies.push(sent.elapsed());
        ensure!(status == 202, "{status}: {body:?}");
    }
    drop(sender);
    // It ends when the sender is dropped; a failure would have failed a submission.
    let _ = driver.await;
    Ok(latencies)
}
