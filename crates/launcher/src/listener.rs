//! The launcher's own HTTP servers; of them `GET /metrics`, `/healthz` and `/readyz` when `--metrics-listen` is given.

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
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;

/// Connections at a time for metrics and health: a scraper, a prober and a few operators.
const MAX_CONNECTIONS: usize = 16;
/// A connection is closed after this time.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(60);

/// Listens on `address` and serves metrics and health in the background.
///
/// # Errors
/// When the address cannot be used.
pub async fn start(address: SocketAddr, metrics: Arc<Metrics>) -> io::Result<SocketAddr> {
    let respond = move |head: Parts| ready(respond(&head.method, head.uri.path(), &metrics));
    serve_at(address, MAX_CONNECTIONS, respond).await
}

/// Listens on `address` and responds to the heads of requests in the background, on `connections` connections at a time.
/// Bodies are not read.
///
/// # Errors
/// When the address cannot be used.
pub(crate) async fn serve_at<F, R>(
    address: SocketAddr,
    connections: usize,
    respond: F,
) -> io::Result<SocketAddr>
where
    F: Fn(Parts) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(serve(listener, connections, Arc::new(respond)));
    Ok(bound)
}

async fn serve<F, R>(listener: TcpListener, connections: usize, respond: Arc<F>)
where
    F: Fn(Parts) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(connections));
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
        "/metrics" | "/healthz" | "/readyz" if !matches!(*method, Method::GET | Method::HEAD) => {
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
        "/readyz" => {
            let (is_ready, text) = readiness(metrics);
            let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, "application/json", text)
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "there are /metrics, /healthz and /readyz\n".to_owned()),
    };
    plain(status, kind, text)
}

/// Returns whether the host responds and its worker drains, and what is known about that. A replica whose first drain has
/// not ended is ready.
fn readiness(metrics: &Metrics) -> (bool, String) {
    let latest = metrics.latest_drain();
    let is_drained = latest.as_ref().is_none_or(|latest| latest.is_done);
    let mut text = json!({ "hostResponds": metrics.is_healthy(), "workerDrains": is_drained });
    if let (Some(latest), Some(members)) = (latest, text.as_object_mut()) {
        members.extend(latest.problem.map(|problem| ("problem".to_owned(), problem.into())));
        if latest.handlers_share_instances {
            members.insert("handlersShareInstances".to_owned(), true.into());
        }
    }
    (metrics.is_healthy() && is_drained, format!("{text}\n"))
}

pub(crate) fn plain(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use models::DrainReport;

    use super::*;
    use crate::drain::DrainResult;

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

    #[test]
    fn readyz_names_what_the_worker_refuses_and_what_its_handlers_share() {
        let metrics = Metrics::default();
        assert!(!readiness(&metrics).0);
        metrics.set_healthy(true);
        assert!(readiness(&metrics).0, "the first drain goes on");
        let drained = |outcome| {
            metrics.drain_started();
            metrics.drain_ended(&outcome, Duration::from_secs(1));
            let (is_ready, text) = readiness(&metrics);
            (is_ready, serde_json::from_str::<serde_json::Value>(&text).unwrap())
        };
        let problem = Some("task_handlers names the component absent".to_owned());
        let refused =
            DrainResult::Refused { status: StatusCode::SERVICE_UNAVAILABLE, retry_after: None, problem };
        let expected = json!({
            "hostResponds": true, "workerDrains": false, "problem": "task_handlers names the component absent"
        });
        assert_eq!(drained(refused), (false, expected));
        let report = DrainReport { handlers_share_instances: true, ..DrainReport::default() };
        let expected = json!({"hostResponds": true, "workerDrains": true, "handlersShareInstances": true});
        assert_eq!(drained(DrainResult::Done(report)), (true, expected));
        assert_eq!(drained(DrainResult::Done(DrainReport::default())).1.as_object().unwrap().len(), 2);
    }
}
