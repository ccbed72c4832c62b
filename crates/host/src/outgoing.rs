//! Requests that an instance sends: allowed or denied, then to another component, to a responder in process, or to
//! the network.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use wasmtime_wasi_http::{RequestOptions, WasiBody, WasiHttpHooks};

use crate::component::{RunningComponent, Siblings};
use crate::instance_tracker::InstanceHandle;
use crate::outbound::{
    DEFAULT_TIMEOUT, Destination, Outbound, OutboundError, OutboundResult, Outgoing, Responder, TimedBody,
    empty,
};
use crate::route::Matched;

/// Largest body that is handed to a [`Responder`].
const MAX_RESPONDER_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Takes the requests of one instance.
pub(crate) struct Hooks {
    component: Arc<RunningComponent>,
    instance: Arc<InstanceHandle>,
}

impl Hooks {
    pub(crate) fn new(component: Arc<RunningComponent>, instance: Arc<InstanceHandle>) -> Self {
        Self { component, instance }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.instance.is_ended()
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
        let component = Arc::clone(&self.component);
        let instance = Arc::clone(&self.instance);
        Box::new(async move {
            if instance.is_ended() {
                // The instance is about to be dropped: it must not send any more.
                std::future::pending::<()>().await;
            }
            let response = send(&component, request, options.unwrap_or_default()).await?;
            let nothing_left_to_drive: Box<dyn Future<Output = _> + Send> = Box::new(async { Ok(()) });
            Ok((response, nothing_left_to_drive))
        })
    }
}

async fn send(
    component: &RunningComponent,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> OutboundResult {
    let first_byte = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
    match (allowed_destination(component, &request)?, &component.outbound) {
        (Destination::Component(id), _) => within(first_byte, to_component(component, &id, request)).await,
        (Destination::OwnRoutes, _) => within(first_byte, to_own_routes(component, request)).await,
        (Destination::Outside, Outbound::InProcess(responder)) => {
            let between = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
            let response = within(first_byte, to_responder(component, responder.as_ref(), request)).await?;
            Ok(response.map(|body| TimedBody::new(body, between).boxed_unsync()))
        }
        // It keeps the time-outs itself.
        (Destination::Outside, Outbound::Network(network)) => network.send(request, options).await,
    }
}

fn allowed_destination(
    component: &RunningComponent,
    request: &Request<WasiBody>,
) -> Result<Destination, OutboundError> {
    let uri = request.uri();
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(OutboundError::HttpRequestUriInvalid);
    };
    let host = host.to_ascii_lowercase();
    let destination = Destination::of(&host);
    let hosts = component.allowed_hosts().ok_or(OutboundError::HttpRequestDenied)?;
    let is_allowed = match destination {
        Destination::OwnRoutes => hosts.allows_own_routes(),
        Destination::Component(_) | Destination::Outside => hosts.allows(scheme, &host, uri.port_u16()),
    };
    if is_allowed {
        return Ok(destination);
    }
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    component.log(&format!("denied a request to {scheme}://{authority}: not in allowed_outbound_hosts"));
    Err(OutboundError::HttpRequestDenied)
}

async fn to_component(sender: &RunningComponent, id: &str, request: Request<WasiBody>) -> OutboundResult {
    let matched = Matched::by_name(id, request.uri().path());
    siblings(sender)?.respond(matched, request).await
}

async fn to_own_routes(sender: &RunningComponent, request: Request<WasiBody>) -> OutboundResult {
    let siblings = siblings(sender)?;
    if let Some(matched) = siblings.find(request.uri().path()) {
        return siblings.respond(matched, request).await;
    }
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

fn siblings(sender: &RunningComponent) -> Result<Arc<dyn Siblings>, OutboundError> {
    sender.siblings.upgrade().ok_or(OutboundError::ConnectionTerminated)
}

async fn to_responder(
    sender: &RunningComponent,
    responder: &dyn Responder,
    request: Request<WasiBody>,
) -> OutboundResult {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_RESPONDER_BODY_BYTES).collect().await;
    let body = body.map_err(|error| match error.downcast::<OutboundError>() {
        Ok(error) => *error,
        Err(_) => OutboundError::HttpRequestBodySize(None),
    })?;
    let request = Request::from_parts(head, body.to_bytes());
    responder.respond(Outgoing { component: Arc::clone(&sender.id), request }).await
}

/// Fails as the network does when the first byte does not come in time.
async fn within(limit: Duration, response: impl Future<Output = OutboundResult>) -> OutboundResult {
    tokio::time::timeout(limit, response).await.unwrap_or(Err(OutboundError::ConnectionReadTimeout))
}
