//! Where requests of components go: which destinations are allowed, and who responds.

mod destination;
mod hosts;
mod network;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::WasiBody;

pub(crate) use destination::{Destination, chained_component};
pub use hosts::AllowedHosts;
pub(crate) use network::DEFAULT_TIMEOUT;
pub use network::Network;
/// Why a request got no response. The component gets it as an error code of `wasi:http`.
pub use wasmtime_wasi_http::Error as OutboundError;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// The response to a request of a component.
pub type OutboundResult<B = WasiBody> = Result<Response<B>, OutboundError>;

/// A whole request of a component.
#[derive(Debug)]
pub struct Outgoing {
    /// The component that sends it.
    pub component: Arc<str>,
    /// Absolute URI, whole body.
    pub request: Request<Bytes>,
}

/// Responds to requests in process, in place of the network. It may wait (on tokio's time), fail, or never resolve:
/// the component's own time-outs then apply.
pub trait Responder: Send + Sync + 'static {
    /// The response to one request.
    fn respond(&self, outgoing: Outgoing) -> BoxFuture<OutboundResult<Bytes>>;
}

impl<F, T> Responder for F
where
    F: Fn(Outgoing) -> T + Send + Sync + 'static,
    T: Future<Output = OutboundResult<Bytes>> + Send + 'static,
{
    fn respond(&self, outgoing: Outgoing) -> BoxFuture<OutboundResult<Bytes>> {
        Box::pin(self(outgoing))
    }
}

/// Where allowed requests go.
#[derive(Clone)]
pub enum Outbound {
    /// To real servers.
    Network(Arc<Network>),
    /// To a responder in this process.
    InProcess(Arc<dyn Responder>),
}

impl Default for Outbound {
    fn default() -> Self {
        Self::Network(Arc::default())
    }
}

impl Outbound {
    /// Every request goes to `responder`.
    pub fn in_process(responder: impl Responder) -> Self {
        Self::InProcess(Arc::new(responder))
    }
}

/// No body.
pub(crate) fn empty() -> WasiBody {
    Full::default().map_err(OutboundError::from).boxed_unsync()
}
