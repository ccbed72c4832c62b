//! Real sockets and real time. Every request has a connection of its own, so that no test depends on when a server
//! closes idle ones.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use azure::{Clock, Limits, Observer, Random, Transport, TransportError};
use bytes::Bytes;
use fake_azure::{Config, EMULATOR_ACCOUNT, FakeAzure, Identity};
use futures::future::LocalBoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::ground::{Credential, Ground, IDENTITY_ENDPOINT, IDENTITY_HEADER, Kind};

/// Sends over TCP, with TLS when a certificate to trust is given. The identity endpoint is served by a fake in
/// process: Azurite accepts its tokens, for it does not check who signed them.
pub(crate) struct SocketEnv {
    tls: Option<TlsConnector>,
    identity: RefCell<FakeAzure>,
    random: Cell<u64>,
    started: std::time::Instant,
}

/// Runs a test on one thread.
pub(crate) fn run(test: impl AsyncFnOnce()) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test());
}

/// A ground on the emulator's account at these addresses.
pub(crate) fn ground(
    kind: Kind,
    credential: Credential,
    blob: &str,
    queue: &str,
    certificate: Option<CertificateDer<'static>>,
) -> Ground {
    let config = Config {
        identities: vec![Identity::system_assigned("11111111-2222-3333-4444-555555555555")],
        identity_header: IDENTITY_HEADER.to_owned(),
        ..Config::default()
    };
    let env = SocketEnv {
        tls: certificate.map(trusting),
        identity: RefCell::new(FakeAzure::new(config).unwrap()),
        random: Cell::new(1),
        started: std::time::Instant::now(),
    };
    Ground::new(Rc::new(env), kind, credential, EMULATOR_ACCOUNT, blob, queue)
}

fn trusting(certificate: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    TlsConnector::from(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

impl Transport for SocketEnv {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        limits: Limits,
        _: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let now = self.now();
            if request.uri().to_string().starts_with(IDENTITY_ENDPOINT) {
                return Ok(self.identity.borrow_mut().handle(request, now));
            }
            let response = self.exchange(request);
            tokio::time::timeout(limits.total, response).await.map_err(|_| TransportError::Timeout)?
        })
    }
}

impl SocketEnv {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (mut parts, body) = request.into_parts();
        let authority = parts.uri.authority().unwrap().clone();
        let connect = |error: std::io::Error| TransportError::Connect(error.to_string());
        let stream = TcpStream::connect(authority.as_str()).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        parts.headers.insert("host", authority.as_str().parse().unwrap());
        let is_tls = parts.uri.scheme_str() == Some("https");
        parts.uri =
            Uri::builder().path_and_query(parts.uri.path_and_query().unwrap().as_str()).build().unwrap();
        let request = Request::from_parts(parts, Full::new(body));
        if is_tls {
            let tls = self.tls.as_ref().expect("a certificate to trust");
            let name = ServerName::try_from(authority.host().to_owned()).unwrap();
            converse(TokioIo::new(tls.connect(name, stream).await.map_err(connect)?), request).await
        } else {
            converse(TokioIo::new(stream), request).await
        }
    }
}

async fn converse<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, TransportError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| TransportError::Interrupted(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let body = body.collect().await.map_err(broken)?.to_bytes();
    drop(sender);
    connection.abort();
    Ok(Response::from_parts(parts, body))
}

impl Clock for SocketEnv {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn instant(&self) -> azure::Instant {
        azure::Instant::since_origin(self.started.elapsed())
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(duration).await;
        })
    }
}

impl Random for SocketEnv {
    fn next_u64(&self) -> u64 {
        let next = self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random.set(next);
        next
    }
}
