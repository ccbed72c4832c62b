//! Serves an application on a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::{App, NoResponse, ResponseBody};
use crate::incoming::ClientAddress;

/// Connections at the same time; further ones wait in the queue of the operating system.
const MAX_CONNECTIONS: usize = 4096;
/// hyper panics below this.
const MIN_BUFFER_BYTES: usize = 8192;
/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Before the next try to accept a connection after an error.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Connections that are still open when this function returns are closed.
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
                    let connection = graceful.watch(connection(app.clone(), stream, client, &options));
                    connections.spawn(async move {
                        // An error is the client's: its connection is closed.
                        let _ = connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: waiting helps, ending does not.
                    eprintln!("host: cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(options.grace, graceful.shutdown()).await.is_err() {
        while connections.try_join_next().is_some() {}
        eprintln!("host: {} connections did not end within {:?}", connections.len(), options.grace);
    }
    app.kill();
}

fn connection(
    app: App,
    stream: TcpStream,
    client: SocketAddr,
    options: &ServerOptions,
) -> impl GracefulConnection<Error = hyper::Error> + Send + use<> {
    // Otherwise a streamed response waits for the client's delayed acknowledgements.
    let _ = stream.set_nodelay(true);
    let access_log = options.access_log;
    let service = service_fn(move |request| respond(app.clone(), request, client, access_log));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    if let Some(size) = options.max_buffer {
        builder.max_buf_size(size.max(MIN_BUFFER_BYTES));
    }
    builder.serve_connection(TokioIo::new(stream), service)
}

async fn respond(
    app: App,
    mut request: Request<Incoming>,
    client: SocketAddr,
    access_log: bool,
) -> Result<Response<ResponseBody>, NoResponse> {
    request.extensions_mut().insert(ClientAddress(client));
    let line = access_log.then(|| format!("{} {}", request.method(), request.uri().path()));
    let start = tokio::time::Instant::now();
    let response = app.handle(request).await;
    if let Some(line) = line {
        eprintln!("{line} {} {} ms", response.status().as_u16(), start.elapsed().as_millis());
    }
    match response.extensions().get::<NoResponse>() {
        // hyper then closes the connection.
        Some(no_response) => Err(*no_response),
        None => Ok(response),
    }
}
