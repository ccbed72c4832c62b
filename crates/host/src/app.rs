//! A running application.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ProxyHandler, TrapOrPanicError};

use crate::component::{RunningComponent, Siblings};
use crate::incoming::{add_spin_headers, make_absolute};
use crate::instances::Instances;
use crate::outbound::{BoxFuture, OutboundError, OutboundResult, empty};
use crate::route::{Matched, Router};
use crate::runtime::Service;
use crate::watched::Caller;

/// In the response that a component gets in place of one that trapped: why, if this host knows. Spin has no such header.
const TRAP_REASON: HeaderName = HeaderName::from_static("trap-reason");

/// The body of a response; it streams.
pub type ResponseBody = WasiBody;

/// Why there is no response to a request.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The application was killed, or the instance dropped, before the response.
    #[error("the instance was dropped before it responded")]
    Dropped,
    /// The component returned an error or took too long.
    #[error("{0}")]
    Component(String),
    /// The component trapped.
    #[error("{0}")]
    Trapped(String),
    /// The component trapped after it was refused memory beyond its limit.
    #[error("{0}; it has used up its memory")]
    OutOfMemory(String),
}

/// In the extensions of a response: Spin sends none here and closes the connection, and so does [`crate::server`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoResponse(&'static str);

/// A component with the instances that respond to its requests.
struct Handler {
    component: Arc<RunningComponent>,
    proxy: ProxyHandler<Instances>,
}

struct Inner {
    router: Router,
    handlers: BTreeMap<String, Handler>,
}

/// A running application. Clones are the same application; it is killed when the last one goes.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

impl App {
    /// Starts the components that `components` makes. They reach each other by its argument, which is dangling until
    /// this function returns.
    pub(crate) fn start(
        router: Router,
        components: impl FnOnce(Weak<dyn Siblings>) -> Vec<(Arc<RunningComponent>, Service)>,
    ) -> Self {
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| {
            let handlers = components(inner.clone()).into_iter().map(|(component, service)| {
                let instances = Instances { component: Arc::clone(&component), service };
                let id = component.id.as_ref().to_owned();
                (id, Handler { component, proxy: ProxyHandler::new(instances) })
            });
            Inner { router, handlers: handlers.collect() }
        });
        Self { inner }
    }

    /// Responds to a request by its route. A failure of a component is Spin's `500` without a body.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<OutboundError>,
    {
        self.try_handle(request).await.unwrap_or_else(|_| status_only(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// Responds to a request by its route, or says why there is no response.
    ///
    /// # Errors
    /// [`Failure`]; a missing route is not one.
    pub async fn try_handle<B>(&self, request: Request<B>) -> Result<Response<ResponseBody>, Failure>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<OutboundError>,
    {
        let mut request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        if let Some(known) = request.uri().path().strip_prefix("/.well-known/spin/") {
            return Ok(match known {
                "health" => Response::new(Full::from("OK").map_err(OutboundError::from).boxed_unsync()),
                _ => status_only(StatusCode::NOT_FOUND),
            });
        }
        let Some(matched) = self.inner.find(request.uri().path()) else {
            return Ok(status_only(StatusCode::NOT_FOUND));
        };
        if let Err(reason) = make_absolute(&mut request, true) {
            let mut response = status_only(StatusCode::BAD_REQUEST);
            response.extensions_mut().insert(NoResponse(reason));
            return Ok(response);
        }
        // Spin reads headers as text, and responds so when one is not.
        if request.headers().values().any(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
            return Ok(status_only(StatusCode::INTERNAL_SERVER_ERROR));
        }
        self.inner.handle(matched, request).await
    }

    /// [`Self::handle`] with whole bodies, for tests.
    ///
    /// # Errors
    /// [`Failure`] also when the body of the response breaks off.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let response = self.try_handle(request.map(Full::new)).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| Failure::Component(error.to_string()))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Drops every instance as a crash of the machine would: from this call on nothing that they do has an effect
    /// outside, no request gets a response, and no instance starts.
    pub fn kill(&self) {
        self.inner.kill();
    }

    /// Drops the present instances of one component, as a trap would; further requests get new ones.
    pub fn drop_instances(&self, component: &str) {
        if let Some(handler) = self.inner.handlers.get(component) {
            handler.component.instances.end_generation();
        }
    }

    /// Waits until no instance is left: after [`Self::kill`], or when all have been idle long enough.
    pub async fn all_instances_ended(&self) {
        for handler in self.inner.handlers.values() {
            handler.component.instances.all_ended().await;
        }
    }

    /// Instances of a component: those that run now and all there have ever been.
    #[must_use]
    pub fn instances(&self, component: &str) -> (usize, usize) {
        self.inner.handlers.get(component).map_or((0, 0), |handler| {
            (handler.component.instances.running(), handler.component.instances.started())
        })
    }

    /// Public routes of the components that run, with the component.
    #[must_use]
    pub fn routes(&self) -> Vec<(String, String)> {
        let routes = self.inner.router.iter().filter(|(_, id)| self.inner.handlers.contains_key(*id));
        routes.map(|(route, id)| (route.raw().to_owned(), id.to_owned())).collect()
    }
}

impl Siblings for Inner {
    fn find(&self, path: &str) -> Option<Matched> {
        self.router.find(path).filter(|matched| self.handlers.contains_key(&matched.component))
    }

    fn respond(
        self: Arc<Self>,
        matched: Matched,
        mut request: Request<WasiBody>,
    ) -> BoxFuture<OutboundResult> {
        Box::pin(async move {
            if !self.handlers.contains_key(&matched.component) {
                return Err(OutboundError::DestinationNotFound);
            }
            make_absolute(&mut request, false).map_err(|_| OutboundError::HttpRequestUriInvalid)?;
            match self.handle(matched, request).await {
                Ok(response) => Ok(response),
                Err(Failure::Dropped) => Err(OutboundError::ConnectionTerminated),
                Err(Failure::Component(_)) => Ok(status_only(StatusCode::INTERNAL_SERVER_ERROR)),
                Err(Failure::Trapped(_)) => Ok(trapped("trap")),
                Err(Failure::OutOfMemory(_)) => Ok(trapped("memory")),
            }
        })
    }
}

impl Inner {
    async fn handle(
        &self,
        matched: Matched,
        mut request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, Failure> {
        let Some(handler) = self.handlers.get(&matched.component) else {
            return Ok(status_only(StatusCode::NOT_FOUND));
        };
        let instances = &handler.component.instances;
        if instances.is_closed() {
            return Err(Failure::Dropped);
        }
        add_spin_headers(&mut request, &matched);
        let (caller, call) = Caller::new();
        match handler.proxy.handle(call, request).await {
            _ if instances.is_closed() => Err(Failure::Dropped),
            Ok(response) => Ok(response.map(|body| caller.awaits(body))),
            Err(error) => {
                let reason = format!("{error:#}");
                let failure = match error.is::<TrapOrPanicError>() {
                    true if caller.is_out_of_memory() => Failure::OutOfMemory(reason),
                    true => Failure::Trapped(reason),
                    false => Failure::Component(reason),
                };
                handler.component.log(&format!("no response: {failure}"));
                Err(failure)
            }
        }
    }

    fn kill(&self) {
        for handler in self.handlers.values() {
            handler.component.instances.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The response in place of a component that trapped, for another component.
fn trapped(reason: &'static str) -> Response<ResponseBody> {
    let mut response = status_only(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(TRAP_REASON, HeaderValue::from_static(reason));
    response
}

fn status_only(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}
