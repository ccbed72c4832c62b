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

/// Reports at a time: as many as a replica has tasks. Each has a connection, which the worker's host keeps for the next.
const MAX_REPORTS: usize = 256;
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
    let (sender, reports) = mpsc::channel(MAX_REPORTS);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = serve_at(address, MAX_REPORTS, move |head: Parts| {
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::task::JoinSet;

    use super::*;

    /// Sends a report on a connection of its own, which stays open as in a pool; whether the process was blocked.
    async fn send(address: SocketAddr) -> (TcpStream, bool) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "POST /overrun HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\noverrun-ms: 1\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        while !text.contains("\r\n\r\n") {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "the connection was closed: {text}");
            text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        (stream, text.contains("handler-process: blocked"))
    }

    #[tokio::test]
    async fn all_reports_of_a_replica_get_a_response_at_once() {
        let (address, mut reports) = listen(Secret::new("t")).await.unwrap();
        tokio::spawn(async move {
            while let Some(report) = reports.recv().await {
                report.process.send(Process::Blocked).unwrap();
            }
        });
        // Two drains of 32 tasks whose handlers block each other.
        let all: JoinSet<_> = (0..64).map(|_| send(address)).collect();
        let all = timeout(Duration::from_secs(10), all.join_all()).await.expect("each report has a response");
        assert!(all.iter().all(|(_, is_blocked)| *is_blocked));
    }

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
