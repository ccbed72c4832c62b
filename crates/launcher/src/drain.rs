//! One `POST /drain`, with the control stream that can end it early.
//!
//! The request body stays open while the drain runs. The launcher writes `stop` into it when the replica is to
//! receive nothing new, and `release` when the grace period is nearly over and unfinished messages are to be
//! handed back. A body that breaks off means `stop` to the worker.
//!
//! A drain lasts as long as the tasks that it works on, and goes on receiving meanwhile. One that is under way
//! longer than its limit is told to stop, so that it reports at last; after twice the limit it is given up.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use azure::Secret;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::{Body, Frame};
use lifecycle::pace::Ending;
use models::DrainReport;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::connection::{Broken, host_header, open, whole};
use crate::signals::Phase;

/// How a drain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrainOutcome {
    /// The worker answered with its report.
    Done(DrainReport),
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

impl DrainOutcome {
    /// What the next drain depends on.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self {
            Self::Done(report) => Ending::of(report),
            Self::Refused { retry_after, .. } => Ending::failed(*retry_after),
            Self::Broken(_) => Ending::failed(None),
        }
    }
}

/// Where drains are sent.
#[derive(Debug, Clone)]
pub struct Target {
    /// The drain route.
    pub url: Uri,
    /// What the route asks for.
    pub token: Secret,
    /// How long one drain may go on receiving; it then has as long again to end.
    pub limit: Duration,
}

/// Runs one drain to its end, passing on each later [`Phase`]. Never fails: every way to end is an [`DrainOutcome`].
pub async fn drain(target: &Target, phases: watch::Receiver<Phase>) -> DrainOutcome {
    match timeout(target.limit.saturating_mul(2), attempt(target, phases)).await {
        Ok(Ok(answer)) => understand(&answer),
        Ok(Err(broken)) => DrainOutcome::Broken(broken),
        Err(_) => DrainOutcome::Broken(Broken::new("the drain took longer than twice --drain-timeout")),
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
        never = pass_on(phases, &lines, target.limit) => match never {},
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

async fn pass_on(
    mut phases: watch::Receiver<Phase>,
    lines: &mpsc::Sender<Bytes>,
    limit: Duration,
) -> Infallible {
    let mut told = Phase::Running;
    let mut limit = std::pin::pin!(sleep(limit));
    loop {
        let wanted =
            (*phases.borrow_and_update()).max(if limit.is_elapsed() { Phase::Stopping } else { told });
        if wanted > told {
            let line = if wanted == Phase::Releasing { "release\n" } else { "stop\n" };
            // A closed channel means that the exchange is over or broken; it says so itself.
            let _ = lines.try_send(Bytes::from_static(line.as_bytes()));
            told = wanted;
        }
        tokio::select! {
            changed = phases.changed() => if changed.is_err() { std::future::pending::<()>().await },
            () = &mut limit, if told < Phase::Stopping => {}
        }
    }
}

fn understand(answer: &Response<Bytes>) -> DrainOutcome {
    if answer.status() != StatusCode::OK {
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        return DrainOutcome::Refused {
            status: answer.status(),
            retry_after: seconds.map(Duration::from_secs),
        };
    }
    match serde_json::from_slice(answer.body()) {
        Ok(report) => DrainOutcome::Done(report),
        Err(_) => {
            DrainOutcome::Broken(Broken::new("the answer is not the JSON of a drain: is --drain-url right?"))
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

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> DrainOutcome {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        understand(&answer.body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    #[test]
    fn worker_s_report_is_read_member_by_member() {
        let golden = include_str!("../../../models/fixtures/drain-report.json");
        let DrainOutcome::Done(report) = answer(200, &[], golden) else { panic!("a report") };
        let written: serde_json::Value = serde_json::from_str(golden).unwrap();
        for (name, count) in report.outcomes().into_iter().chain(report.upkeep()) {
            assert_eq!(written[name], count, "{name}");
        }
        assert_eq!((&written["received"], &written["more"]), (&report.received.into(), &report.more.into()));
        assert_eq!(written["retryAfterSeconds"], report.retry_after_seconds.unwrap());
        // All of them, each counted for the loop, the line or the metrics.
        assert_eq!(written.as_object().unwrap().len(), report.outcomes().len() + report.upkeep().len() + 3);
        let ending = DrainOutcome::Done(report).ending();
        assert_eq!((ending.more, ending.rest), (true, report.retry_after()));
    }

    #[test]
    fn rest_of_a_refusal_is_its_retry_after() {
        let ending = answer(503, &[("retry-after", "9")], "").ending();
        assert_eq!(ending, Ending::failed(Some(Duration::from_secs(9))));
        assert_eq!(answer(200, &[], "what?").ending(), Ending::failed(None));
    }

    #[test]
    fn other_answers_are_refusals_or_broken_and_never_shown() {
        let refused = |status, seconds: Option<u64>| DrainOutcome::Refused {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: seconds.map(Duration::from_secs),
        };
        assert_eq!(answer(503, &[("retry-after", "7")], "x"), refused(503, Some(7)));
        assert_eq!(answer(503, &[("retry-after", "soon")], "x"), refused(503, None));
        assert_eq!(answer(302, &[], ""), refused(302, None));
        let DrainOutcome::Broken(broken) = answer(200, &[], "<html>secret</html>") else { panic!("broken") };
        assert!(!broken.to_string().contains("secret"));
        assert!(matches!(answer(200, &[], r#"{"received":-1}"#), DrainOutcome::Broken(_)));
    }
}
