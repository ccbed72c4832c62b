//! Requests that components send: allowed or denied, then to another component, to an answer in
//! process, or to the network.

mod hosts;
mod network;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use wasmtime_wasi_http::{RequestOptions, WasiBody, WasiHttpHooks};

pub use hosts::AllowedHosts;
pub use network::Network;
/// Why a request got no answer. The component sees it as `wasi:http`'s error code.
pub use wasmtime_wasi_http::Error as OutboundError;

use crate::app::Shared;
use crate::life::Life;
use crate::log::Source;
use crate::route::Matched;

/// The longest time that Spin waits for anything unless the component says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// Largest body that is handed to an [`Answer`], in bytes.
const MAX_ANSWERED_BODY: usize = 64 * 1024 * 1024;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A whole request on its way out.
#[derive(Debug)]
pub struct Outgoing {
    /// The component that sends it.
    pub component: Arc<str>,
    /// Absolute URI, whole body.
    pub request: Request<Bytes>,
}

/// Answers requests in process instead of the network. It may wait (on tokio's time), fail, or never
/// resolve: the component's own time-outs then apply.
pub trait Answer: Send + Sync + 'static {
    /// The answer to one request.
    fn answer(&self, outgoing: Outgoing) -> BoxFuture<Result<Response<Bytes>, OutboundError>>;
}

impl<F, T> Answer for F
where
    F: Fn(Outgoing) -> T + Send + Sync + 'static,
    T: Future<Output = Result<Response<Bytes>, OutboundError>> + Send + 'static,
{
    fn answer(&self, outgoing: Outgoing) -> BoxFuture<Result<Response<Bytes>, OutboundError>> {
        Box::pin(self(outgoing))
    }
}

/// Where allowed requests go.
#[derive(Clone)]
pub enum Outbound {
    /// To real servers.
    Network(Arc<Network>),
    /// To an answer in process.
    Answered(Arc<dyn Answer>),
}

impl Default for Outbound {
    fn default() -> Self {
        Self::Network(Arc::default())
    }
}

impl Outbound {
    /// Everything is answered by `answer`.
    pub fn answered(answer: impl Answer) -> Self {
        Self::Answered(Arc::new(answer))
    }
}

/// Where a request is to go.
enum Destination {
    /// `http://<component>.spin.internal`.
    Component(String),
    /// `http://self.alt`: the application's own public routes.
    OwnRoutes,
    /// Anywhere else.
    Outside,
}

impl Destination {
    fn of(host: &str) -> Self {
        match host.split_once('.') {
            Some((component, "spin.internal")) => Self::Component(component.to_owned()),
            Some(("self", "alt")) => Self::OwnRoutes,
            _ => Self::Outside,
        }
    }
}

/// The component named by a `spin.internal` host, if it is one.
pub(crate) fn chained_component(host: &str) -> Option<String> {
    match Destination::of(host) {
        Destination::Component(component) => Some(component),
        Destination::OwnRoutes | Destination::Outside => None,
    }
}

/// Takes the requests of one instance.
pub(crate) struct Hooks {
    shared: Arc<Shared>,
    life: Arc<Life>,
}

impl Hooks {
    pub(crate) fn new(shared: Arc<Shared>, life: Arc<Life>) -> Self {
        Self { shared, life }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.life.is_over()
    }
}

type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), OutboundError>> + Send>);

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), OutboundError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, OutboundError>> + Send> {
        let shared = Arc::clone(&self.shared);
        let life = Arc::clone(&self.life);
        Box::new(async move {
            if life.is_over() {
                // The instance is about to be dropped: nothing of it may leave any more.
                std::future::pending::<()>().await;
            }
            let response = send(&shared, request, options.unwrap_or_default()).await?;
            let nothing_left_to_drive: Box<dyn Future<Output = _> + Send> = Box::new(async { Ok(()) });
            Ok((response, nothing_left_to_drive))
        })
    }
}

async fn send(
    shared: &Arc<Shared>,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response<WasiBody>, OutboundError> {
    let uri = request.uri();
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(OutboundError::HttpRequestUriInvalid);
    };
    let host = host.to_ascii_lowercase();
    let destination = Destination::of(&host);
    let Some(hosts) = shared.allowed_hosts() else {
        return Err(OutboundError::HttpRequestDenied);
    };
    let allowed = match destination {
        Destination::OwnRoutes => hosts.allows_own_routes(),
        Destination::Component(_) | Destination::Outside => hosts.allows(scheme, &host, uri.port_u16()),
    };
    if !allowed {
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        shared.log.line(
            &shared.id,
            Source::Host,
            &format!("denied a request to {scheme}://{authority}: not in allowed_outbound_hosts"),
        );
        return Err(OutboundError::HttpRequestDenied);
    }
    let first_byte = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
    match destination {
        Destination::Component(id) => {
            within(first_byte, async {
                let matched = Matched::by_name(&id, request.uri().path());
                let app = shared.app().ok_or(OutboundError::ConnectionTerminated)?;
                app.answer_chained(matched, request).await
            })
            .await
        }
        Destination::OwnRoutes => {
            within(first_byte, async {
                let app = shared.app().ok_or(OutboundError::ConnectionTerminated)?;
                match app.find(request.uri().path()) {
                    Some(matched) => app.answer_chained(matched, request).await,
                    None => {
                        let mut response = Response::new(empty());
                        *response.status_mut() = StatusCode::NOT_FOUND;
                        Ok(response)
                    }
                }
            })
            .await
        }
        Destination::Outside => match &shared.outbound {
            Outbound::Network(network) => network.send(request, options).await,
            Outbound::Answered(answer) => {
                within(first_byte, async {
                    let (head, body) = request.into_parts();
                    let body = Limited::new(body, MAX_ANSWERED_BODY).collect().await.map_err(|error| {
                        match error.downcast::<OutboundError>() {
                            Ok(error) => *error,
                            Err(_) => OutboundError::HttpRequestBodySize(None),
                        }
                    })?;
                    let request = Request::from_parts(head, body.to_bytes());
                    let outgoing = Outgoing { component: Arc::clone(&shared.id), request };
                    let response = answer.answer(outgoing).await?;
                    Ok(response.map(|body| Full::new(body).map_err(OutboundError::from).boxed_unsync()))
                })
                .await
            }
        },
    }
}

/// Gives up as the network does when the first byte does not come.
async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, OutboundError>>,
) -> Result<T, OutboundError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(OutboundError::ConnectionReadTimeout))
}

/// No body.
pub(crate) fn empty() -> WasiBody {
    Full::default().map_err(OutboundError::from).boxed_unsync()
}
