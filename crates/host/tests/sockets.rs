//! Real sockets: the server in front of an application, and the network behind it.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what is shared by tests says what it expects as the tests do"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use host::outbound::Network;
use host::server::{ServerOptions, serve};
use host::{App, Blueprint, Captured, CompileCache, Options, OutboundError, ResponseBody, Runtime};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wasmtime_wasi_http::RequestOptions;

fn app() -> App {
    let cache = CompileCache::Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join("accepted-host"));
    let runtime = Runtime::new(&cache).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
    let blueprint = Blueprint::load(&runtime, &manifest, &[]).unwrap();
    blueprint.start(Options { log: Arc::new(Captured::default()), ..Options::default() }).unwrap()
}

/// A served application: where, how to stop it, and its end.
async fn served(grace: Duration) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let options = ServerOptions { grace, ..ServerOptions::default() };
    let serving = tokio::spawn(serve(app(), listener, options, async { drop(stopped.await) }));
    (address, stop, serving)
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut piece = [0; 4096];
        let length = timeout(Duration::from_secs(10), stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(length > 0, "closed after {text:?}");
        text += &String::from_utf8_lossy(&piece[..length]);
    }
    text
}

const HEALTH: &[u8] = b"GET /.well-known/spin/health HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let (address, _stop, _serving) = served(Duration::from_secs(1)).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        client.write_all(HEALTH).await.unwrap();
        assert!(read_until(&mut client, "OK").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    client.write_all(b"GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let response = read_until(&mut client, "}").await;
    assert!(
        response.starts_with("HTTP/1.1 404 ") && response.contains("application/problem+json"),
        "{response}"
    );
}

#[tokio::test]
async fn stop_lets_requests_end_and_closes_idle_connections() {
    let (address, stop, serving) = served(Duration::from_secs(10)).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(HEALTH).await.unwrap();
    read_until(&mut idle, "OK").await;
    let mut running = TcpStream::connect(address).await.unwrap();
    // The body is announced and comes only after the stop.
    let head =
        "POST /tasks HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{";
    running.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;

    stop.send(()).unwrap();
    let closed = timeout(Duration::from_secs(5), idle.read(&mut [0; 1])).await.unwrap().unwrap();
    assert_eq!(closed, 0);
    TcpStream::connect(address).await.unwrap_err();
    running.write_all(b"}").await.unwrap();
    let response = read_until(&mut running, "}").await;
    assert!(response.starts_with("HTTP/1.1 503 "), "nothing is configured: {response}");
    timeout(Duration::from_secs(5), serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_that_reach_no_component_get_the_responses_of_spin() {
    let (address, _stop, _serving) = served(Duration::from_secs(1)).await;
    for (request, response) in [
        // Without a host there is no response; the health route needs none.
        (&b"GET /healthz HTTP/1.0\r\n\r\n"[..], ""),
        (b"GET /healthz HTTP/1.1\r\nhost: api.spin.internal\r\n\r\n", ""),
        (b"GET /.well-known/spin/health HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK"),
        (b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: \xff\r\nconnection: close\r\n\r\n", "HTTP/1.1 500 "),
        (b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "HTTP/1.1 200 OK"),
    ] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request).await.unwrap();
        let mut said = String::new();
        timeout(Duration::from_secs(10), client.read_to_string(&mut said)).await.unwrap().unwrap();
        let shown = String::from_utf8_lossy(request);
        assert_eq!(said.is_empty(), response.is_empty(), "{shown}: {said}");
        assert!(said.starts_with(response), "{shown}: {said}");
    }
}

#[tokio::test]
async fn request_beyond_the_grace_period_is_cut_off() {
    let (address, stop, serving) = served(Duration::from_millis(100)).await;
    let mut running = TcpStream::connect(address).await.unwrap();
    running.write_all(b"POST /tasks HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.send(()).unwrap();
    timeout(Duration::from_secs(5), serving).await.unwrap().unwrap();
}

/// A server that counts its connections; `respond` returns the body, or `None` to never respond.
async fn counting_server(
    respond: fn(Request<Incoming>) -> Option<&'static str>,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let service = service_fn(move |request| async move {
                let Some(body) = respond(request) else { return std::future::pending().await };
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (address, connections)
}

fn outgoing(address: SocketAddr) -> Request<ResponseBody> {
    let body = Full::new(Bytes::from("body")).map_err(OutboundError::from).boxed_unsync();
    Request::put(format!("http://{address}/path?query"))
        .header("host", address.to_string())
        .header("content-length", 4)
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn connection_is_kept_and_used_again() {
    let (address, connections) = counting_server(|request| {
        assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("PUT", "/path?query"));
        Some("response")
    })
    .await;
    let network = Network::default();
    for _ in 0..5 {
        let response = network.send(outgoing(address), RequestOptions::default()).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "response");
        // The connection is put back by a task of its own.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn stale_connection_is_replaced_without_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_until(&mut stream, "body").await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            // Without announcing it.
            drop(stream);
        }
    });
    let network = Network::default();
    for _ in 0..5 {
        let response = network.send(outgoing(address), RequestOptions::default()).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn refused_connection_and_slow_response_have_their_own_errors() {
    let network = Network::default();
    // Bound, so that no other program gets the port, and not listening.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refused = network.send(outgoing(silent.local_addr().unwrap()), RequestOptions::default()).await;
    assert!(matches!(refused, Err(OutboundError::ConnectionRefused)), "{refused:?}");

    let (address, _) = counting_server(|_| None).await;
    let hasty =
        RequestOptions { first_byte_timeout: Some(Duration::from_millis(50)), ..RequestOptions::default() };
    let slow = network.send(outgoing(address), hasty).await;
    assert!(matches!(slow, Err(OutboundError::ConnectionReadTimeout)), "{slow:?}");
}

#[tokio::test]
async fn broken_response_is_an_error_and_not_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "body").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    });
    let response = Network::default().send(outgoing(address), RequestOptions::default()).await.unwrap();
    let broken = response.into_body().collect().await;
    assert!(matches!(broken, Err(OutboundError::ConnectionTerminated)), "{broken:?}");
}

#[tokio::test]
async fn every_request_has_its_own_connection_without_pooling() {
    let (address, connections) = counting_server(|_| Some("response")).await;
    let network = Network::new(false, None);
    for _ in 0..3 {
        let response = network.send(outgoing(address), RequestOptions::default()).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "response");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn idle_connections_make_room_within_the_bound() {
    let hasty =
        || RequestOptions { connect_timeout: Some(Duration::from_millis(200)), ..RequestOptions::default() };
    let (address, _) = counting_server(|_| Some("response")).await;
    let (other, _) = counting_server(|_| Some("response")).await;
    let network = Network::new(true, Some(1));
    // The body was not read: the connection is in use.
    let first = network.send(outgoing(address), hasty()).await.unwrap();
    let second = network.send(outgoing(other), hasty()).await;
    assert!(matches!(second, Err(OutboundError::ConnectionTimeout)), "{second:?}");
    first.into_body().collect().await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Kept and idle: it gives way to one to another server.
    network.send(outgoing(other), hasty()).await.unwrap();

    let none = Network::new(true, Some(0)).send(outgoing(address), hasty()).await;
    assert!(matches!(none, Err(OutboundError::ConnectionTimeout)), "{none:?}");
}
