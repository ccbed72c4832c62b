//! The launcher's own HTTP servers; of them `GET /metrics` and `GET /healthz` when `--metrics-listen` is given.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::prometheus_text;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;

/// Connections at a time: a scraper, a prober and a few operators.
const MAX_CONNECTIONS: usize = 16;
/// A connection is closed after this time.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(60);

/// Listens on `address` and serves metrics and health in the background.
///
/// # Errors
/// When the address cannot be used.
pub async fn start(address: SocketAddr, metrics: Arc<Metrics>) -> io::Result<SocketAddr> {
    serve_at(address, move |head: Parts| ready(respond(&head.method, head.uri.path(), &metrics))).await
}

/// Listens on `address` and responds to the heads of requests in the background. Bodies are not read.
///
/// # Errors
/// When the address cannot be used.
pub(crate) async fn serve_at<F, R>(address: SocketAddr, respond: F) -> io::Result<SocketAddr>
where
    F: Fn(Parts) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(serve(listener, Arc::new(respond)));
    Ok(bound)
}

async fn serve<F, R>(listener: TcpListener, respond: Arc<F>)
where
    F: Fn(Parts) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: accepting again at once would spin.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let respond = Arc::clone(&respond);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = respond(request.into_parts().0);
                async move { Ok::<_, Infallible>(response.await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service);
            // An error is the client's: its connection is closed.
            let _ = timeout(MAX_CONNECTION_AGE, connection).await;
            drop(permit);
        });
    }
}

fn respond(method: &Method, path: &str, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, kind, text) = match path {
        "/metrics" | "/healthz" if !matches!(*method, Method::GET | Method::HEAD) => {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned());
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        "/metrics" => (StatusCode::OK, prometheus_text::CONTENT_TYPE, metrics.render()),
        "/healthz" if metrics.is_healthy() => {
            (StatusCode::OK, "text/plain", "the host responds\n".to_owned())
        }
        "/healthz" => {
            (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the host does not respond\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "there are /metrics and /healthz\n".to_owned()),
    };
    plain(status, kind, text)
}

pub(crate) fn plain(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn healthz_follows_the_host_and_other_requests_are_refused() {
        let metrics = Metrics::default();
        let status = |method: Method, path| respond(&method, path, &metrics).status().as_u16();
        assert_eq!(status(Method::GET, "/healthz"), 503);
        metrics.set_healthy(true);
        assert_eq!(status(Method::GET, "/healthz"), 200);
        assert_eq!(status(Method::GET, "/metrics"), 200);
        assert_eq!(status(Method::POST, "/metrics"), 405);
        assert_eq!(status(Method::GET, "/drain"), 404);
    }
}
