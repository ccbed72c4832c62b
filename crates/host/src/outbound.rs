//! Where requests of components go: which destinations are allowed, and who responds.

mod destination;
mod hosts;
mod network;
mod timed_body;

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
pub(crate) use timed_body::TimedBody;
/// Why a request got no response. The component gets it as an error code of `wasi:http`.
pub use wasmtime_wasi_http::Error as OutboundError;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// The response to a request of a component.
pub type OutboundResult<B = WasiBody> = Result<Response<B>, OutboundError>;

/// The body of a response in process.
pub trait ResponderBody {
    /// The body in pieces.
    fn into_pieces(self) -> WasiBody;
}

/// A body in one piece.
impl ResponderBody for Bytes {
    fn into_pieces(self) -> WasiBody {
        Full::new(self).map_err(OutboundError::from).boxed_unsync()
    }
}

impl ResponderBody for WasiBody {
    fn into_pieces(self) -> WasiBody {
        self
    }
}

/// A whole request of a component.
#[derive(Debug)]
pub struct Outgoing {
    /// The component that sends it.
    pub component: Arc<str>,
    /// Absolute URI, whole body.
    pub request: Request<Bytes>,
}

/// Responds to requests in process, in place of the network.
///
/// It may wait (on tokio's time), fail, or never resolve, and so may its body: the time-outs of the component apply.
pub trait Responder: Send + Sync + 'static {
    /// The response to one request.
    fn respond(&self, outgoing: Outgoing) -> BoxFuture<OutboundResult>;
}

impl<F, T, B> Responder for F
where
    F: Fn(Outgoing) -> T + Send + Sync + 'static,
    T: Future<Output = OutboundResult<B>> + Send + 'static,
    B: ResponderBody,
{
    fn respond(&self, outgoing: Outgoing) -> BoxFuture<OutboundResult> {
        let response = self(outgoing);
        Box::pin(async move { Ok(response.await?.map(ResponderBody::into_pieces)) })
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
