//! Accepting connections and serving their requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::Shared;
use crate::blob::MAX_BLOB;
use crate::call::PeerAddress;
use crate::service::Service;

/// How long a client may take to send the head of a request, keep-alive pauses included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Serves `listener` until `stopping` says so.
pub(super) async fn accept(
    listener: TcpListener,
    service: Service,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
    connections: Arc<Semaphore>,
) {
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stopping) => return,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file handles, or the peer has closed already: neither ends the server.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (shared, stopping) = (Arc::clone(&shared), stopping.clone());
        tokio::spawn(async move {
            serve(stream, peer, service, shared, stopping).await;
            drop(permit);
        });
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    service: Service,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    // Without this a response in two pieces waits for the client's delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let respond = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let response = respond(request, peer, service, &shared).await;
            if !shared.latency.is_zero() {
                tokio::time::sleep(shared.latency).await;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), respond)
    );
    // A broken connection concerns its client alone.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut stopping) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Waits for the wish to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // The sender is dropped only with the server: that is a stop too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn respond(
    request: Request<Incoming>,
    peer: SocketAddr,
    service: Service,
    shared: &Shared,
) -> Response<Full<Bytes>> {
    let (mut parts, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BLOB + 1).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return bare(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => return bare(StatusCode::BAD_REQUEST),
        Err(_) => return bare(StatusCode::REQUEST_TIMEOUT),
    };
    parts.extensions.insert(PeerAddress(peer.ip()));
    let mut inner = shared.inner.lock().unwrap_or_else(PoisonError::into_inner);
    let inner = &mut *inner;
    let response = inner.fake.handle_at(service, Request::from_parts(parts, body), OffsetDateTime::now_utc());
    // Nothing is acknowledged before it is in the file.
    if let Some(data_file) = &mut inner.data_file
        && let Err(error) = data_file.write(&mut inner.fake)
    {
        // Fails only if the receiver was dropped, and then the server ends anyway.
        let _ = shared.failed.send(error);
        return bare(StatusCode::INTERNAL_SERVER_ERROR);
    }
    response.map(Full::new)
}

fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}
