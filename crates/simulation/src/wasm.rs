//! Runs the shipped components on wasmtime: the real `spin.toml`, the real `.wasm`, and everything around
//! them simulated.
//!
//! The run's executor sits inside a tokio runtime whose time is paused: when no future can go on, neither
//! here nor in an instance, tokio moves its clock to the next timer, and the executor follows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure::{Limits, TransportError};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, LocalBoxFuture, select};
use host::{
    App, Blueprint, Clock, CompileCache, Options, Outbound, OutboundError, Outgoing, Providers, Runtime,
};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use tokio::time::Instant;

use crate::fleet::{Input, Instance, Runner};
use crate::generate;
use crate::mutation::Mutation;
use crate::record::{InstanceId, Role};
use crate::run::{Outcome, Run};
use crate::scenario::Scenario;
use crate::search::Player;
use crate::world::World;

/// What the world lets a request cost: the component has its own, shorter time-outs.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(86_400),
    between_bytes: Duration::from_secs(86_400),
    total: Duration::from_secs(86_400),
    max_response_bytes: 64 * 1024 * 1024,
};

/// The compiled application, shared by all runs of a process.
pub struct Wasm {
    blueprint: Blueprint,
}

impl Wasm {
    /// Compiles the components of the `spin.toml` in the workspace's folder.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn load() -> Result<Arc<Self>, String> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let runtime = Runtime::new(&CompileCache::of_user()).map_err(|error| error.to_string())?;
        let blueprint =
            Blueprint::load(&runtime, &root.join("spin.toml"), &[]).map_err(|error| error.to_string())?;
        Ok(Arc::new(Self { blueprint }))
    }

    /// Plays `scenario` with the shipped components.
    #[must_use]
    pub fn play(self: &Arc<Self>, scenario: Scenario, mutation: Option<Mutation>, tracing: bool) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        #[expect(clippy::expect_used, reason = "a runtime without I/O needs nothing that could be missing")]
        let runtime = runtime.expect("a tokio runtime without I/O starts");
        runtime.block_on(async {
            let start = Instant::now();
            let run =
                Run::new(scenario, Rc::new(WasmRunner { wasm: Arc::clone(self), start }), mutation, tracing);
            let exec = run.world().exec.clone();
            loop {
                exec.advance_to(start.elapsed());
                exec.run_ready();
                if run.is_done() {
                    break;
                }
                let next =
                    exec.next_due().map_or(Duration::from_secs(3_600), |due| due - start.elapsed().min(due));
                let timer = std::pin::pin!(tokio::time::sleep(next));
                let woken = std::pin::pin!(exec.woken());
                select(woken, timer).await;
            }
            run.finish()
        })
    }
}

/// The player of the shipped components.
///
/// # Panics
/// When the components are not built.
#[must_use]
#[expect(clippy::panic, reason = "without the components there is nothing to run")]
pub fn player() -> Player {
    static LOADED: Mutex<Option<Arc<Wasm>>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let wasm = match &*loaded {
        Some(wasm) => Arc::clone(wasm),
        None => Wasm::load().unwrap_or_else(|reason| panic!("{reason}")),
    };
    *loaded = Some(Arc::clone(&wasm));
    Rc::new(move |seed, left_out, mutation, tracing| {
        wasm.play(generate::scenario(seed).without(left_out), mutation, tracing)
    })
}

struct WasmRunner {
    wasm: Arc<Wasm>,
    start: Instant,
}

/// An instance's own idea of the time.
struct SkewedClock {
    start: Instant,
    unix_start: Duration,
    /// How many milliseconds it has been set ahead.
    step: Arc<AtomicI64>,
    judge_by_wall_clock: bool,
}

impl Clock for SkewedClock {
    fn unix_time(&self) -> Duration {
        let step = self.step.load(Ordering::Relaxed);
        let size = Duration::from_millis(step.unsigned_abs());
        let unset = self.unix_start + self.start.elapsed();
        if step < 0 { unset.saturating_sub(size) } else { unset + size }
    }

    fn monotonic(&self) -> Duration {
        if self.judge_by_wall_clock { self.unix_time() } else { self.start.elapsed() }
    }
}

/// A request on its way from a component to the world.
type Sent = (Outgoing, oneshot::Sender<Result<Response<Bytes>, OutboundError>>);

/// Hands log lines to the world's thread.
struct Lines(mpsc::UnboundedSender<String>);

impl host::LogSink for Lines {
    fn line(&self, _component: &str, _source: host::log::Source, line: &str) {
        let _ = self.0.unbounded_send(line.to_owned());
    }
}

/// Kills the application when the group it belongs to is killed.
struct Mortal(App);

impl Drop for Mortal {
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl Runner for WasmRunner {
    fn start(&self, world: &Rc<World>, role: Role, instance: InstanceId) -> Rc<dyn Instance> {
        let (requests, mut outgoing) = mpsc::unbounded::<Sent>();
        let (lines, mut log) = mpsc::unbounded::<String>();
        let step = world.clock_step(role);
        let now = world.wall_clock(instance).unix_timestamp_nanos()
            - i128::try_from(self.start.elapsed().as_nanos()).unwrap_or(0)
            - i128::from(step.load(Ordering::Relaxed)) * 1_000_000;
        let unix_start = Duration::from_nanos(u64::try_from(now).unwrap_or(0));
        let outbound = Outbound::in_process(move |request: Outgoing| {
            let (responder, response) = oneshot::channel();
            let sent = requests.unbounded_send((request, responder));
            async move {
                if sent.is_err() {
                    std::future::pending::<()>().await;
                }
                match response.await {
                    Ok(response) => response,
                    // The instance is dead; it must not see anything any more.
                    Err(_) => std::future::pending().await,
                }
            }
        });
        let options = Options {
            providers: Providers::only(variables(world, instance)),
            outbound,
            clock: Arc::new(SkewedClock {
                start: self.start,
                unix_start,
                step,
                judge_by_wall_clock: world.mutation == Some(Mutation::JudgeByWallClock),
            }),
            seed: Some(world.scenario.seed ^ (u64::from(instance) << 48)),
            log: Arc::new(Lines(lines)),
            limits: host::Limits {
                max_instance_reuse_count: usize::MAX,
                max_instance_concurrent_reuse_count: 4_096,
                idle_instance_timeout: Duration::from_secs(30 * 86_400),
                request_timeout: None,
                max_instance_memory: None,
            },
            ..Options::default()
        };
        let app = match self.wasm.blueprint.start(options) {
            Ok(app) => app,
            Err(error) => return broken(&error.to_string()),
        };
        let group = World::group(instance);
        let (exec, own, mortal) = (world.exec.clone(), Rc::clone(world), Mortal(app.clone()));
        world.exec.spawn(group, async move {
            let _lives_with_the_group = mortal;
            while let Some((request, mut responder)) = outgoing.next().await {
                let own = Rc::clone(&own);
                exec.spawn(group, async move {
                    let sending = std::pin::pin!(own.send(instance, request.request, LIMITS));
                    // A component that stops waiting drops its request, as it does natively.
                    if let Either::Left((response, _)) = select(sending, responder.cancellation()).await {
                        let _ = responder.send(response.map_err(|error| outbound_error(&error)));
                    }
                });
            }
        });
        let own = Rc::clone(world);
        world.exec.spawn(group, async move {
            while let Some(line) = log.next().await {
                own.log(instance, &line);
            }
        });
        Rc::new(WasmInstance(app))
    }
}

fn variables(world: &World, instance: InstanceId) -> BTreeMap<String, String> {
    let manifest_only = [
        ("blob_host", "http://127.0.0.1:10000"),
        ("queue_host", "http://127.0.0.1:10001"),
        ("identity_host", "http://127.0.0.1:10003"),
        ("key_vault_host", "http://127.0.0.1:10004"),
        ("handler_hosts", "http://handler.test"),
    ];
    let mut given: BTreeMap<String, String> =
        manifest_only.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for variable in service::settings::VARIABLES {
        if let Some(value) = world.variable(instance, variable.name) {
            given.insert(variable.name.to_owned(), value);
        }
    }
    given
}

fn outbound_error(error: &TransportError) -> OutboundError {
    match error {
        TransportError::Connect(_) => OutboundError::ConnectionRefused,
        TransportError::Denied(_) => OutboundError::HttpRequestDenied,
        TransportError::Timeout => OutboundError::ConnectionReadTimeout,
        TransportError::Interrupted(_) | TransportError::TooLarge(_) => OutboundError::ConnectionTerminated,
    }
}

struct WasmInstance(App);

impl Instance for WasmInstance {
    fn handle(&self, request: Request<Input>) -> LocalBoxFuture<'static, Response<Bytes>> {
        let app = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = match body {
                Input::Whole(bytes) => Either::Left(Full::new(bytes)),
                Input::Lines(lines) => Either::Right(StreamBody::new(
                    lines.map(|line| Ok::<_, std::convert::Infallible>(Frame::data(line))),
                )),
            };
            let request = match body {
                Either::Left(body) => {
                    Request::from_parts(head, body.map_err(|never| match never {}).boxed_unsync())
                }
                Either::Right(body) => {
                    Request::from_parts(head, body.map_err(|never| match never {}).boxed_unsync())
                }
            };
            let response: Result<Response<_>, _> = app
                .try_handle::<http_body_util::combinators::UnsyncBoxBody<Bytes, OutboundError>>(request)
                .await;
            match response {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    match body.collect().await {
                        Ok(body) => Response::from_parts(head, body.to_bytes()),
                        Err(_) => status(StatusCode::BAD_GATEWAY),
                    }
                }
                Err(host::Failure::Dropped) => std::future::pending().await,
                Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
            }
        })
    }
}

fn status(code: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = code;
    response
}

#[expect(clippy::panic, reason = "the simulator and spin.toml do not fit together")]
fn broken(reason: &str) -> Rc<dyn Instance> {
    panic!("the application does not start: {reason}")
}
