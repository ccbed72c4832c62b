//! New connections: TCP, TLS and the HTTP/1.1 handshake.

use std::io;
use std::sync::{Arc, OnceLock};

use http::Uri;
use http::uri::Scheme;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::WasiBody;

use crate::outbound::OutboundError;

/// The server of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    pub(super) fn of(uri: &Uri) -> Result<Self, OutboundError> {
        let host = uri.host().ok_or(OutboundError::HttpRequestUriInvalid)?;
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host: host.to_ascii_lowercase(), port })
    }

    /// Without the brackets of an IPv6 address.
    fn bare_host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }
}

/// Opens connections.
pub(super) struct Connector {
    no_delay: bool,
    /// Made at the first https request: reading the certificates of the machine takes milliseconds.
    tls: OnceLock<TlsConnector>,
}

impl Connector {
    pub(super) fn new(no_delay: bool) -> Self {
        Self { no_delay, tls: OnceLock::new() }
    }

    /// Opens a connection that holds `permit` until it is closed.
    pub(super) async fn connect(
        &self,
        origin: &Origin,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<SendRequest<WasiBody>, OutboundError> {
        let tcp = open_tcp(origin, self.no_delay).await?;
        if !origin.tls {
            return handshake(TokioIo::new(tcp), permit).await;
        }
        let name = ServerName::try_from(origin.bare_host().to_owned())
            .map_err(|_| OutboundError::HttpRequestUriInvalid)?;
        let tls = self.tls.get_or_init(tls_connector).connect(name, tcp).await.map_err(OutboundError::Tls)?;
        handshake(TokioIo::new(tls), permit).await
    }
}

/// Trusts the certificates of this machine and, as Spin does, those of Mozilla's list.
fn tls_connector() -> TlsConnector {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn open_tcp(origin: &Origin, no_delay: bool) -> Result<TcpStream, OutboundError> {
    let addresses = tokio::net::lookup_host((origin.bare_host(), origin.port)).await.map_err(|error| {
        OutboundError::DnsError { rcode: Some(error.kind().to_string()), info_code: None }
    })?;
    let mut last = OutboundError::DestinationNotFound;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // For components that leave head and body of a small request to two writes: the second would
                // wait for the server's delayed acknowledgement.
                stream.set_nodelay(no_delay).map_err(OutboundError::Connect)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = OutboundError::ConnectionRefused;
            }
            Err(error) => last = OutboundError::Connect(error),
        }
    }
    Err(last)
}

async fn handshake<T>(
    stream: T,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<SendRequest<WasiBody>, OutboundError>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(async move {
        // hyper gives the error to the request that waits for a response.
        let _ = connection.await;
        drop(permit);
    });
    Ok(sender)
}

pub(super) fn connection_error(error: &hyper::Error) -> OutboundError {
    if error.is_timeout() {
        OutboundError::ConnectionReadTimeout
    } else if error.is_parse() {
        OutboundError::HttpProtocolError
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        OutboundError::ConnectionTerminated
    } else if error.is_user() {
        OutboundError::InternalError(Some(error.to_string()))
    } else {
        // Reset or broken pipe.
        OutboundError::ConnectionTerminated
    }
}
