//! A running application: its components, its routes, its surroundings.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ProxyHandler;

use crate::clock::{Clock, SystemClock};
use crate::incoming::{add_spin_headers, make_absolute};
use crate::instances::Instances;
use crate::life::Lives;
use crate::limits::Limits;
use crate::log::{LogSink, Source, Terminal};
use crate::manifest::{Component, Manifest, ManifestError};
use crate::outbound::{AllowedHosts, Outbound, OutboundError, chained_component, empty};
use crate::route::{Matched, Router};
use crate::runtime::{ComponentError, Runtime};
use crate::variables::{Providers, VariableError, Variables};

/// The body of an answer; it streams.
pub type ResponseBody = WasiBody;

/// Why an application does not start.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A component.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// A given variable.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// Anything else that the caller can put right.
    #[error("{0}")]
    Refused(String),
}

/// Why there is no answer to a request.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The application was killed, or the instance dropped, before the answer.
    #[error("the instance was dropped before it answered")]
    Dropped,
    /// The component trapped, returned an error or took too long.
    #[error("{0}")]
    Component(String),
}

/// In an answer's extensions: Spin gives none here and closes the connection, and so does [`crate::server`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unanswered(&'static str);

/// The surroundings of a running application.
pub struct Options {
    /// Where the values of variables come from.
    pub providers: Providers,
    /// Where outgoing requests go.
    pub outbound: Outbound,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Makes the components' randomness repeatable.
    pub seed: Option<u64>,
    /// Where printed lines go.
    pub log: Arc<dyn LogSink>,
    /// Limits of instances.
    pub limits: Limits,
    /// Added to every component's environment, over the manifest's.
    pub environment: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            providers: Providers::default(),
            outbound: Outbound::default(),
            clock: Arc::new(SystemClock::default()),
            seed: None,
            log: Arc::new(Terminal),
            limits: Limits::default(),
            environment: BTreeMap::new(),
        }
    }
}

/// A manifest with its compiled components: what many applications can be started from.
pub struct Blueprint {
    runtime: Arc<Runtime>,
    manifest: Manifest,
    components: BTreeMap<String, wasmtime_wasi_http::p3::bindings::ServicePre<crate::guest::Guest>>,
}

impl Blueprint {
    /// Reads a manifest and compiles its components, or only those named in `only`.
    ///
    /// # Errors
    /// [`LoadError`] with a sentence that says what to change.
    pub fn load(runtime: &Arc<Runtime>, manifest: &Path, only: &[String]) -> Result<Self, LoadError> {
        let manifest = Manifest::read(manifest)?;
        let chosen = choose(&manifest, only).map_err(LoadError::Refused)?;
        let mut components = BTreeMap::new();
        for (id, component) in &manifest.components {
            if !chosen.contains(id) {
                continue;
            }
            for mount in &component.files {
                if !mount.source.is_dir() {
                    let path = mount.source.display();
                    return Err(LoadError::Refused(format!("component {id:?}: {path} is not a folder")));
                }
            }
            components.insert(id.clone(), runtime.service(&component.source)?);
        }
        Ok(Self { runtime: Arc::clone(runtime), manifest, components })
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Starts an application. Cheap: instances are made when requests come.
    ///
    /// # Errors
    /// [`LoadError::Variable`] when a given variable is not declared, or a required one has no value.
    pub fn start(&self, options: Options) -> Result<App, LoadError> {
        let variables = Arc::new(Variables::new(self.manifest.variables.clone(), options.providers)?);
        variables.check_required()?;
        let inner = Arc::new_cyclic(|app: &Weak<Inner>| {
            let handlers = self.components.iter().filter_map(|(id, service)| {
                let component = self.manifest.components.get(id)?.clone();
                let mut environment = component.environment.clone();
                environment.extend(options.environment.clone());
                let shared = Arc::new(Shared {
                    id: id.as_str().into(),
                    runtime: Arc::clone(&self.runtime),
                    component,
                    environment,
                    variables: Arc::clone(&variables),
                    allowed_hosts: OnceLock::new(),
                    outbound: options.outbound.clone(),
                    clock: Arc::clone(&options.clock),
                    seed: options.seed,
                    log: Arc::clone(&options.log),
                    limits: options.limits.clone(),
                    lives: Lives::new(),
                    app: app.clone(),
                });
                let instances = Instances { shared: Arc::clone(&shared), service: service.clone() };
                Some((id.clone(), Handler { shared, proxy: ProxyHandler::new(instances) }))
            });
            Inner { router: self.manifest.router.clone(), handlers: handlers.collect() }
        });
        Ok(App { inner })
    }
}

/// Which components to run. A subset must hold every component that its members chain to.
fn choose(manifest: &Manifest, only: &[String]) -> Result<HashSet<String>, String> {
    let known: HashSet<String> = manifest.components.keys().cloned().collect();
    if let Some(id) = only.iter().find(|id| !known.contains(*id)) {
        return Err(format!("there is no component {id:?} in the manifest"));
    }
    let chosen: HashSet<String> = if only.is_empty() { known } else { only.iter().cloned().collect() };
    for id in &chosen {
        let Some(component) = manifest.components.get(id) else { continue };
        for entry in component.allowed_outbound_hosts.iter().filter_map(|entry| entry.literal()) {
            let Some((_, host)) = entry.split_once("://") else { continue };
            match chained_component(host) {
                Some(target) if target == "*" && !only.is_empty() => {
                    return Err(format!("component {id:?} may call every other, so all must run: {entry:?}"));
                }
                Some(target) if target != "*" && !chosen.contains(&target) => {
                    return Err(format!(
                        "component {id:?} may call {target:?}, which does not run: {entry:?}"
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(chosen)
}

/// What all instances of one component share.
pub(crate) struct Shared {
    pub(crate) id: Arc<str>,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) component: Component,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) variables: Arc<Variables>,
    allowed_hosts: OnceLock<Option<AllowedHosts>>,
    pub(crate) outbound: Outbound,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: Option<u64>,
    pub(crate) log: Arc<dyn LogSink>,
    pub(crate) limits: Limits,
    pub(crate) lives: Arc<Lives>,
    app: Weak<Inner>,
}

impl Shared {
    /// The destinations, or `None` (said once in the log) when the list is void.
    pub(crate) fn allowed_hosts(&self) -> Option<&AllowedHosts> {
        let resolve = || {
            let templates = &self.component.allowed_outbound_hosts;
            let entries: Result<Vec<_>, _> =
                templates.iter().map(|entry| self.variables.resolve(entry)).collect();
            let hosts = match entries {
                Ok(entries) => AllowedHosts::parse(&entries),
                Err(error) => Err(error.to_string()),
            };
            hosts
                .map_err(|reason| {
                    let line = format!("allowed_outbound_hosts is void, every request is denied: {reason}");
                    self.log.line(&self.id, Source::Host, &line);
                })
                .ok()
        };
        self.allowed_hosts.get_or_init(resolve).as_ref()
    }

    /// The application, unless it is gone.
    pub(crate) fn app(&self) -> Option<Arc<Inner>> {
        self.app.upgrade()
    }
}

struct Handler {
    shared: Arc<Shared>,
    proxy: ProxyHandler<Instances>,
}

pub(crate) struct Inner {
    router: Router,
    handlers: BTreeMap<String, Handler>,
}

/// A running application. Clones are the same application; it is killed when the last one goes.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

impl App {
    /// Answers a request by its route. Failures of a component are Spin's `500` without a body.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<OutboundError>,
    {
        self.try_handle(request).await.unwrap_or_else(|_| status_only(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// Answers a request by its route, or says why there is no answer.
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
            response.extensions_mut().insert(Unanswered(reason));
            return Ok(response);
        }
        // Spin hands headers on as text and answers this when one is none.
        if request.headers().values().any(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
            return Ok(status_only(StatusCode::INTERNAL_SERVER_ERROR));
        }
        self.inner.answer(matched, request).await
    }

    /// [`Self::handle`] with whole bodies, for tests.
    ///
    /// # Errors
    /// [`Failure`] also when the answer's body breaks off.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let response = self.try_handle(request.map(Full::new)).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| Failure::Component(error.to_string()))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Drops every instance as a crash of the machine would: from this call on nothing they do is seen
    /// outside, no request gets an answer, none begins.
    pub fn kill(&self) {
        self.inner.kill();
    }

    /// Drops the present instances of one component, as a trap would, and goes on with new ones.
    pub fn drop_instances(&self, component: &str) {
        if let Some(handler) = self.inner.handlers.get(component) {
            handler.shared.lives.end_generation();
        }
    }

    /// Waits until no instance is left: after [`Self::kill`], or when all have been idle long enough.
    pub async fn all_instances_ended(&self) {
        for handler in self.inner.handlers.values() {
            handler.shared.lives.all_ended().await;
        }
    }

    /// Instances of a component: those that run now and all there have ever been.
    #[must_use]
    pub fn instances(&self, component: &str) -> (usize, usize) {
        self.inner
            .handlers
            .get(component)
            .map_or((0, 0), |handler| (handler.shared.lives.running(), handler.shared.lives.started()))
    }

    /// Public routes of the components that run, with the component.
    #[must_use]
    pub fn routes(&self) -> Vec<(String, String)> {
        let routes = self.inner.router.iter().filter(|(_, id)| self.inner.handlers.contains_key(*id));
        routes.map(|(route, id)| (route.raw().to_owned(), id.to_owned())).collect()
    }
}

impl Inner {
    /// The route of a path, when its component runs.
    pub(crate) fn find(&self, path: &str) -> Option<Matched> {
        self.router.find(path).filter(|matched| self.handlers.contains_key(&matched.component))
    }

    /// Answers a request that another component sent.
    pub(crate) async fn answer_chained(
        &self,
        matched: Matched,
        mut request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, OutboundError> {
        if !self.handlers.contains_key(&matched.component) {
            return Err(OutboundError::DestinationNotFound);
        }
        make_absolute(&mut request, false).map_err(|_| OutboundError::HttpRequestUriInvalid)?;
        match self.answer(matched, request).await {
            Ok(response) => Ok(response),
            Err(Failure::Dropped) => Err(OutboundError::ConnectionTerminated),
            Err(Failure::Component(_)) => Ok(status_only(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }

    async fn answer(
        &self,
        matched: Matched,
        mut request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, Failure> {
        let Some(handler) = self.handlers.get(&matched.component) else {
            return Ok(status_only(StatusCode::NOT_FOUND));
        };
        let lives = &handler.shared.lives;
        if lives.is_closed() {
            return Err(Failure::Dropped);
        }
        add_spin_headers(&mut request, &matched);
        match handler.proxy.handle((), request).await {
            _ if lives.is_closed() => Err(Failure::Dropped),
            Ok(response) => Ok(response),
            Err(error) => {
                let reason = format!("{error:#}");
                handler.shared.log.line(&handler.shared.id, Source::Host, &format!("no answer: {reason}"));
                Err(Failure::Component(reason))
            }
        }
    }

    fn kill(&self) {
        for handler in self.handlers.values() {
            handler.shared.lives.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.kill();
    }
}

fn status_only(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}
