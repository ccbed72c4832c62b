//! Serves an application on a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::app::{App, Unanswered};
use crate::incoming::ClientAddress;

/// Connections at the same time; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;
/// hyper panics below this.
const MIN_BUFFER: usize = 8192;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// How long requests may go on after the stop.
    pub grace: Duration,
    /// Whether every request is a line on standard error.
    pub access_log: bool,
    /// Largest buffer of a connection; hyper's own limit without one. At least 8192.
    pub max_buffer: Option<usize>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10), access_log: false, max_buffer: None }
    }
}

/// Serves `app` until `stop` resolves, then lets running requests end within the grace period.
pub async fn serve(app: App, listener: TcpListener, options: ServerOptions, stop: impl Future<Output = ()>) {
    let stopping = watch::Sender::new(false);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (permit, accepted) = accepted => match accepted {
                Ok((stream, client)) => {
                    let connection =
                        serve_connection(app.clone(), stream, client, options.clone(), stopping.subscribe());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: waiting helps, ending does not.
                    eprintln!("host: cannot accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(options.grace, all_ended).await.is_err() {
        eprintln!("host: {} connections did not end within {:?}", connections.len(), options.grace);
    }
    app.kill();
}

async fn serve_connection(
    app: App,
    stream: TcpStream,
    client: SocketAddr,
    options: ServerOptions,
    mut stopping: watch::Receiver<bool>,
) {
    // Otherwise a streamed answer waits for the client's delayed acknowledgements.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let app = app.clone();
        async move {
            request.extensions_mut().insert(ClientAddress(client));
            let line = options.access_log.then(|| format!("{} {}", request.method(), request.uri().path()));
            let start = tokio::time::Instant::now();
            let response = app.handle(request).await;
            if let Some(line) = line {
                eprintln!("{line} {} {} ms", response.status().as_u16(), start.elapsed().as_millis());
            }
            match response.extensions().get::<Unanswered>() {
                // hyper then closes the connection.
                Some(unanswered) => Err(*unanswered),
                None => Ok(response),
            }
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    if let Some(size) = options.max_buffer {
        builder.max_buf_size(size.max(MIN_BUFFER));
    }
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        // Broken connections are the client's affair.
        _ = &mut connection => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
