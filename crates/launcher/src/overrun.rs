//! `POST /overrun`: a worker reports a handler that did not end in time, and gets to know whether its process was blocked.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use azure::Secret;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::listener::{plain, serve_at};

/// Reports that were not looked at: as many as a replica has tasks at a time.
const MAX_WAITING: usize = 256;
/// How long a report may wait for what is known of the process. The worker waits a little longer.
const MAX_WAIT: Duration = Duration::from_millis(1_500);

/// A handler that did not end in time.
#[derive(Debug)]
pub struct Report {
    /// How long before the report the handler was called.
    pub ago: Duration,
    /// Takes whether the process was [`Process::Blocked`] in that time.
    pub process: oneshot::Sender<Process>,
}

/// What is known of the process in the time of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// It responded throughout.
    Responsive,
    /// It did not respond for a part of it, or was started during it.
    Blocked,
}

impl Process {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Responsive => "responsive",
            Self::Blocked => "blocked",
        })
    }
}

/// Listens on a free port of the loopback interface. Returns its address and the reports.
///
/// # Errors
/// When there is no port.
pub async fn listen(token: Secret) -> io::Result<(SocketAddr, mpsc::Receiver<Report>)> {
    let (sender, reports) = mpsc::channel(MAX_WAITING);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = serve_at(address, move |head: Parts| {
        let asked = report(&head, &token).map(|ago| {
            let (process, known) = oneshot::channel();
            // A full channel has a report that is as good for the end of the process; this one learns nothing of it.
            let _ = sender.try_send(Report { ago, process });
            known
        });
        async move {
            match asked {
                Ok(known) => {
                    let mut response = respond(StatusCode::NO_CONTENT);
                    // Without a statement the attempt counts.
                    if let Ok(Ok(process)) = timeout(MAX_WAIT, known).await {
                        response.headers_mut().insert("handler-process", process.header());
                    }
                    response
                }
                Err(status) => respond(status),
            }
        }
    });
    Ok((bound.await?, reports))
}

fn report(head: &Parts, token: &Secret) -> Result<Duration, StatusCode> {
    if head.uri.path() != "/overrun" {
        return Err(StatusCode::NOT_FOUND);
    }
    if head.method != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let presented = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    if !is_same(presented, format!("Bearer {}", token.expose()).as_bytes()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let milliseconds = head.headers.get("overrun-ms").and_then(|value| value.to_str().ok()?.parse().ok());
    milliseconds.map(Duration::from_millis).ok_or(StatusCode::BAD_REQUEST)
}

/// Compares in a time that depends on the lengths only.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other)) == 0
}

fn respond(status: StatusCode) -> Response<Full<Bytes>> {
    plain(status, "text/plain", String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_needs_token_and_time() {
        let token = Secret::new("t");
        let of = |method: &str, path: &str, authorization: &str, time: &str| {
            let request = http::Request::builder().method(method).uri(path);
            let request = request.header("authorization", authorization).header("overrun-ms", time);
            report(&request.body(()).unwrap().into_parts().0, &token)
        };
        assert_eq!(of("POST", "/overrun", "Bearer t", "1500"), Ok(Duration::from_millis(1500)));
        for (method, path, authorization, time, status) in [
            ("POST", "/overrun", "Bearer x", "1", 401),
            ("POST", "/overrun", "", "1", 401),
            ("POST", "/overrun", "Bearer t", "soon", 400),
            ("GET", "/overrun", "Bearer t", "1", 405),
            ("POST", "/", "Bearer t", "1", 404),
        ] {
            assert_eq!(
                of(method, path, authorization, time).unwrap_err().as_u16(),
                status,
                "{method} {path}"
            );
        }
    }
}
