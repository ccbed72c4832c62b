//! One `POST /drain`, with the control stream that can end it early.
//!
//! The request body stays open while the drain runs. The launcher writes `stop` into it when the replica is to
//! receive nothing new, and `release` when the grace period is nearly over and unfinished messages are to be
//! handed back. A body that breaks off means `stop` to the worker.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use azure::Secret;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::{Body, Frame};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::connection::{Broken, host_header, open, whole};
use crate::signals::Phase;

/// What one drain did, as the worker counts it. Members that are missing count nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Messages received.
    pub received: u64,
    /// Tasks that ended Completed.
    pub completed: u64,
    /// Tasks that ended Failed.
    pub failed: u64,
    /// Tasks that ended Cancelled.
    pub cancelled: u64,
    /// Attempts that will be made again.
    pub retried: u64,
    /// Messages moved to the poison queue.
    pub poisoned: u64,
    /// Attempts whose lease went to another worker.
    pub lost: u64,
    /// Messages handed back unfinished because the replica stops.
    pub released: u64,
    /// Scheduled tasks that became due.
    pub promoted: u64,
    /// Tasks found without a message and queued again.
    pub requeued: u64,
    /// Old documents removed.
    pub purged: u64,
    /// Whether messages were left when the drain ended.
    pub more: bool,
}

impl Counts {
    /// The outcomes by the names that logs and metrics use.
    #[must_use]
    pub fn outcomes(&self) -> [(&'static str, u64); 7] {
        [
            ("completed", self.completed),
            ("failed", self.failed),
            ("cancelled", self.cancelled),
            ("retried", self.retried),
            ("poisoned", self.poisoned),
            ("lost", self.lost),
            ("released", self.released),
        ]
    }

    /// What was done beside the task queue.
    #[must_use]
    pub fn upkeep(&self) -> [(&'static str, u64); 3] {
        [("promoted", self.promoted), ("requeued", self.requeued), ("purged", self.purged)]
    }

    /// Whether the drain found anything to do.
    #[must_use]
    pub fn did_something(&self) -> bool {
        self.received > 0 || self.upkeep().iter().any(|(_, count)| *count > 0)
    }
}

/// How a drain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The worker answered with counts.
    Done(Counts),
    /// The worker answered something else.
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// From `Retry-After`, when it was a number of seconds.
        retry_after: Option<Duration>,
    },
    /// There was no usable answer.
    Broken(Broken),
}

/// Where drains are sent.
#[derive(Debug, Clone)]
pub struct Target {
    /// The drain route.
    pub url: Uri,
    /// What the route asks for.
    pub token: Secret,
    /// How long one drain may take.
    pub limit: Duration,
}

/// Runs one drain to its end, passing on each later [`Phase`]. Never fails: every way to end is an [`Outcome`].
pub async fn drain(target: &Target, phases: watch::Receiver<Phase>) -> Outcome {
    match timeout(target.limit, attempt(target, phases)).await {
        Ok(Ok(answer)) => understand(&answer),
        Ok(Err(broken)) => Outcome::Broken(broken),
        Err(_) => Outcome::Broken(Broken::new("the drain took longer than --drain-timeout")),
    }
}

async fn attempt(target: &Target, phases: watch::Receiver<Phase>) -> Result<Response<Bytes>, Broken> {
    let mut sender = open::<Control>(&target.url).await?;
    // Room for both lines: writing one never waits.
    let (lines, body) = mpsc::channel(2);
    let request = request(target, Control(body))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| Broken::new(error.to_string()))?;
        whole(answer).await
    };
    // The lines are dropped, and the body so ended, only after the whole answer was read: data that arrives at
    // a server which has already closed the connection makes it reset, and a reset could swallow the answer.
    tokio::select! {
        result = exchange => result,
        never = pass_on(phases, &lines) => match never {},
    }
}

fn request(target: &Target, body: Control) -> Result<Request<Control>, Broken> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", target.token.expose()))
        .map_err(|_| Broken::new("the drain token has characters that a header cannot hold"))?;
    authorization.set_sensitive(true);
    let path = target.url.path_and_query().map_or("/", |path| path.as_str());
    Request::post(path)
        .header(HOST, host_header(&target.url))
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, authorization)
        .header("drain-control", "stream")
        .body(body)
        .map_err(|error| Broken::new(error.to_string()))
}

async fn pass_on(mut phases: watch::Receiver<Phase>, lines: &mpsc::Sender<Bytes>) -> Infallible {
    let mut told = Phase::Running;
    loop {
        let phase = *phases.borrow_and_update();
        if phase > told {
            let line = if phase == Phase::Releasing { "release\n" } else { "stop\n" };
            // A closed channel means that the exchange is over or broken; it says so itself.
            let _ = lines.try_send(Bytes::from_static(line.as_bytes()));
            told = phase;
        }
        if phases.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn understand(answer: &Response<Bytes>) -> Outcome {
    if answer.status() != StatusCode::OK {
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        return Outcome::Refused { status: answer.status(), retry_after: seconds.map(Duration::from_secs) };
    }
    match serde_json::from_slice(answer.body()) {
        Ok(counts) => Outcome::Done(counts),
        Err(_) => {
            Outcome::Broken(Broken::new("the answer is not the JSON of a drain: is --drain-url right?"))
        }
    }
}

/// The open request body.
struct Control(mpsc::Receiver<Bytes>);

impl Body for Control {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Outcome {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        understand(&answer.body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    #[test]
    fn counts_are_read_whatever_other_members_there_are() {
        let outcome = answer(200, &[], r#"{"received":3,"completed":2,"lost":1,"more":true,"news":[1]}"#);
        let expected = Counts { received: 3, completed: 2, lost: 1, more: true, ..Counts::default() };
        assert_eq!(outcome, Outcome::Done(expected));
    }

    #[test]
    fn other_answers_are_refusals_or_broken_and_never_shown() {
        let refused = |status, seconds: Option<u64>| Outcome::Refused {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: seconds.map(Duration::from_secs),
        };
        assert_eq!(answer(503, &[("retry-after", "7")], "x"), refused(503, Some(7)));
        assert_eq!(answer(503, &[("retry-after", "soon")], "x"), refused(503, None));
        assert_eq!(answer(302, &[], ""), refused(302, None));
        let Outcome::Broken(broken) = answer(200, &[], "<html>secret</html>") else { panic!("broken") };
        assert!(!broken.to_string().contains("secret"));
        assert!(matches!(answer(200, &[], r#"{"received":-1}"#), Outcome::Broken(_)));
    }

    #[test]
    fn upkeep_counts_as_work_and_an_empty_drain_does_not() {
        assert!(!Counts::default().did_something());
        assert!(Counts { purged: 1, ..Counts::default() }.did_something());
        assert!(Counts { received: 1, ..Counts::default() }.did_something());
    }
}
