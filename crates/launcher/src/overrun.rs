//! `POST /overrun`: a worker reports a handler that did not end in time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use azure::Secret;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::mpsc;

use crate::listener::{plain, serve_at};

/// Reports that were not looked at. One is enough to end the process.
const MAX_WAITING: usize = 8;

/// Listens on a free port of the loopback interface. Returns its address, and for each report how long before it the
/// handler was called.
///
/// # Errors
/// When there is no port.
pub async fn listen(token: Secret) -> io::Result<(SocketAddr, mpsc::Receiver<Duration>)> {
    let (sender, reports) = mpsc::channel(MAX_WAITING);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = serve_at(address, move |head| {
        let response = report(head, &token);
        if let Ok(ago) = response {
            // A full channel has a report that is as good.
            let _ = sender.try_send(ago);
        }
        respond(response.map_or_else(|status| status, |_| StatusCode::NO_CONTENT))
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
    let presented = head.headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
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
