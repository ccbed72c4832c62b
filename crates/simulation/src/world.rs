//! The world of one run: machines, clocks, the network between them and storage, and what is recorded.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use azure::{Limits, TransportError};
use bytes::Bytes;
use futures::channel::oneshot;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use time::OffsetDateTime;

use crate::call::Call;
use crate::cloud::Cloud;
use crate::executor::{Executor, Group};
use crate::mutation::Mutation;
use crate::promise::Promise;
use crate::random::Dice;
use crate::record::{InstanceId, Record, Role};
use crate::scenario::{Element, Fault, Knobs, Op, Part, Scenario};
use crate::watch::Source;

/// True time at the beginning of every run: 2026-11-22T05:00:00Z.
const BEGINNING: i64 = 1_795_323_600;
/// The group of requests that are under way: nobody's crash stops them.
pub const NETWORK: Group = Group(0);
/// The group of clients, launchers and whoever else never crashes.
pub const PEOPLE: Group = Group(1);
/// The instance number of somebody else who has access to storage.
pub const OUTSIDER: InstanceId = 0;

/// What a busy service asks for.
const ASKED_TO_WAIT: Duration = Duration::from_secs(2);

struct Machine {
    role: Role,
    alive: bool,
    skew: time::Duration,
}

/// See the module.
pub struct World {
    /// Time, and who goes on.
    pub exec: Executor,
    /// What happened.
    pub record: RefCell<Record>,
    /// What is to happen.
    pub scenario: Scenario,
    /// The services.
    pub cloud: RefCell<Cloud>,
    /// What is deliberately wrong.
    pub mutation: Option<Mutation>,
    /// What mutations have to remember.
    pub memory: RefCell<crate::mutation::Memory>,
    machines: RefCell<Vec<Machine>>,
    faults: BTreeMap<(Op, u32), Fault>,
    asked: RefCell<BTreeMap<Op, u32>>,
    dice: RefCell<Dice>,
    calm: Cell<bool>,
    rate_limit: u32,
    under_way: Cell<usize>,
}

impl World {
    /// The world of `scenario` at virtual time zero.
    #[must_use]
    pub fn new(scenario: Scenario, mutation: Option<Mutation>, tracing: bool) -> Rc<Self> {
        let seed = scenario.seed;
        let faults = scenario
            .elements
            .iter()
            .filter_map(|element| match element {
                Element::Fault { op, nth, fault } => Some(((*op, *nth), *fault)),
                _ => None,
            })
            .collect();
        let concurrency = u32::try_from(scenario.knobs.max_concurrency).unwrap_or(32);
        let mut record = Record::new(tracing);
        let cloud = Cloud::new(&scenario, &mut record.secrets);
        let outsider = Machine { role: Role::Outsider, alive: true, skew: time::Duration::ZERO };
        Rc::new(Self {
            exec: Executor::new(Dice::fork(seed, 2)),
            record: RefCell::new(record),
            cloud: RefCell::new(cloud),
            mutation,
            memory: RefCell::default(),
            machines: RefCell::new(vec![outsider]),
            faults,
            asked: RefCell::default(),
            dice: RefCell::new(Dice::fork(seed, 3)),
            calm: Cell::new(false),
            // What an honest worker needs in its busiest second, with room to spare: see docs/performance.md.
            rate_limit: 150 + 12 * concurrency.min(u32::try_from(scenario.tasks.len()).unwrap_or(1) + 4),
            under_way: Cell::new(0),
            scenario,
        })
    }

    /// How many requests to storage are still on their way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.get()
    }

    /// What holds throughout the run.
    #[must_use]
    pub fn knobs(&self) -> &Knobs {
        &self.scenario.knobs
    }

    /// From now on nothing goes wrong any more.
    pub fn calm_down(&self) {
        self.calm.set(true);
    }

    /// Starts a new instance.
    pub fn start(&self, role: Role) -> InstanceId {
        let most = self.knobs().instance_skew_ms;
        let skew = match most {
            0 => 0,
            most => {
                let mut dice = self.dice.borrow_mut();
                i64::try_from(dice.below(2 * most)).unwrap_or(0) - i64::try_from(most).unwrap_or(0)
            }
        };
        let mut machines = self.machines.borrow_mut();
        machines.push(Machine { role, alive: true, skew: time::Duration::milliseconds(skew) });
        InstanceId::try_from(machines.len() - 1).unwrap_or(0)
    }

    /// The group of an instance's futures.
    #[must_use]
    pub fn group(instance: InstanceId) -> Group {
        Group(instance + 16)
    }

    /// Whether the instance is still there.
    #[must_use]
    pub fn is_alive(&self, instance: InstanceId) -> bool {
        self.machine(instance, |machine| machine.alive).unwrap_or(false)
    }

    /// The instance is gone, with everything it was doing.
    pub fn crash(&self, instance: InstanceId, why: &str) {
        if let Some(machine) = self.machines.borrow_mut().get_mut(instance as usize) {
            machine.alive = false;
        }
        let mut record = self.record.borrow_mut();
        record.count("crash");
        record.note(self.exec.now(), || format!("instance {instance} dies: {why}"));
        record.running.remove(&instance);
        drop(record);
        self.exec.kill(Self::group(instance));
    }

    fn machine<T>(&self, instance: InstanceId, look: impl FnOnce(&Machine) -> T) -> Option<T> {
        self.machines.borrow().get(instance as usize).map(look)
    }

    /// Adds a line to the timeline.
    pub fn note(&self, line: impl FnOnce() -> String) {
        self.record.borrow_mut().note(self.exec.now(), line);
    }

    /// What a variable of the components is set to; `None` is its default.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = self.cloud.borrow().variable(name, self.knobs());
        match self.mutation {
            Some(mutation) => mutation.variable(name, value),
            None => value,
        }
    }

    /// A line that an instance wrote to its log.
    pub fn log(&self, instance: InstanceId, line: &str) {
        let mut record = self.record.borrow_mut();
        record.note(self.exec.now(), || format!("log-{instance:<5} {line}"));
        let leak = self.mutation.and_then(|mutation| crate::mutation::leak(mutation, &record));
        record.logs.push(line.to_owned());
        record.logs.extend(leak);
    }

    /// The wall clock of an instance.
    #[must_use]
    pub fn wall_clock(&self, instance: InstanceId) -> OffsetDateTime {
        let skew = self.machine(instance, |machine| machine.skew).unwrap_or_default();
        true_time(self.exec.now()) + skew
    }

    /// The clock of the storage account.
    #[must_use]
    pub fn storage_clock(&self) -> OffsetDateTime {
        true_time(self.exec.now()) + time::Duration::milliseconds(self.knobs().storage_skew_ms)
    }

    /// Who `instance` is, now.
    #[must_use]
    pub fn source(&self, instance: InstanceId) -> Source {
        let role = self.machine(instance, |machine| machine.role).unwrap_or(Role::Outsider);
        let epoch = BEGINNING + self.knobs().storage_skew_ms.div_euclid(1_000);
        Source { role, instance, now: self.exec.now(), epoch }
    }

    /// Time a message takes, one way.
    fn latency(&self) -> Duration {
        let most = self.knobs().latency_ms * 1_000;
        Duration::from_micros(self.dice.borrow_mut().between(200, most))
    }

    /// Sends a request on behalf of an instance, through whatever the scenario has in store for it.
    ///
    /// # Errors
    /// [`TransportError`] when no answer arrives.
    pub async fn send(
        self: &Rc<Self>,
        from: InstanceId,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, TransportError> {
        let call = Call::of(&request);
        let source = self.source(from);
        self.record.borrow_mut().asked(source, &call, &request, self.rate_limit);
        let fault = self.fault(source, &call);
        self.note(|| {
            let trouble = fault.map(|fault| format!("  << {fault:?}")).unwrap_or_default();
            format!("{} {}{trouble}", who(source), describe(&call, &request))
        });
        let (tx, rx) = oneshot::channel();
        match fault {
            Some(Fault::CrashBefore) => return self.die(from, "before the request is sent").await,
            Some(Fault::NoConnection) => {
                self.exec.sleep(self.latency()).await;
                return Err(TransportError::Connect("connection refused".to_owned()));
            }
            Some(Fault::ResetBefore) => {
                self.exec.sleep(self.latency()).await;
                return Err(TransportError::Interrupted("connection reset".to_owned()));
            }
            Some(Fault::Refused(0)) => drop(tx),
            Some(Fault::Refused(status)) => {
                self.exec.sleep(self.latency()).await;
                let response = refusal(status);
                if response.headers().contains_key("retry-after") {
                    let source = self.source(from);
                    self.record.borrow_mut().told_to_wait(source, &call, &request, ASKED_TO_WAIT);
                }
                return Ok(response);
            }
            _ => self.travel(source, call.clone(), request, fault, tx),
        }
        let running = (call.op == Op::Handler).then(|| Running::begin(self, from));
        let answer = self.exec.timeout(limits.first_byte.min(limits.total), rx).await;
        drop(running);
        let response = match answer {
            Some(Ok(response)) => response,
            // No service answers: the sender waits until it has waited long enough.
            Some(Err(_)) => {
                self.exec.sleep(limits.connect).await;
                return Err(TransportError::Connect("no connection in time".to_owned()));
            }
            None => return Err(TransportError::Timeout),
        };
        match fault {
            Some(Fault::CrashAfter) => return self.die(from, "before the reply arrives").await,
            Some(Fault::ResetAfter) => return Err(TransportError::Interrupted("connection reset".to_owned())),
            Some(Fault::DoneYetRefused(status)) => return Ok(refusal(status)),
            _ => {}
        }
        if response.body().len() > limits.max_response_bytes {
            return Err(TransportError::TooLarge(limits.max_response_bytes));
        }
        let source = self.source(from);
        self.record.borrow_mut().told(source, &call, &response);
        self.note(|| format!("{}   -> {} for {:?}", who(source), outcome(&response), call.op));
        Ok(self.lie(source, &call, response))
    }

    async fn die<T>(&self, instance: InstanceId, why: &str) -> T {
        self.crash(instance, why);
        pending().await
    }

    /// The request travels on its own: it arrives even if its sender has given up or died.
    fn travel(
        self: &Rc<Self>,
        source: Source,
        call: Call,
        request: Request<Bytes>,
        fault: Option<Fault>,
        reply: oneshot::Sender<Response<Bytes>>,
    ) {
        let world = Rc::clone(self);
        if call.op != Op::Handler {
            world.under_way.set(world.under_way.get() + 1);
        }
        self.exec.spawn(NETWORK, async move {
            let late = |milliseconds: u64| Duration::from_millis(milliseconds);
            let there = match fault {
                Some(Fault::Late(ms)) => world.latency() + late(ms),
                _ => world.latency(),
            };
            world.exec.sleep(there).await;
            if call.op == Op::Handler {
                let answer = crate::handler::answer(&world, &request, &reply).await;
                if let Some(answer) = answer {
                    // The worker may have stopped waiting.
                    let _ = reply.send(answer);
                }
                return;
            }
            if fault == Some(Fault::Twice) {
                world.apply(source.instance, &call, copy(&request));
            }
            let answer = world.apply(source.instance, &call, request);
            world.under_way.set(world.under_way.get() - 1);
            let back = match fault {
                Some(Fault::LateReply(ms)) => world.latency() + late(ms),
                _ => world.latency(),
            };
            world.exec.sleep(back).await;
            let _ = reply.send(answer);
        });
    }

    /// The request reaches storage and has its effect, at this moment.
    fn apply(&self, from: InstanceId, call: &Call, request: Request<Bytes>) -> Response<Bytes> {
        let source = self.source(from);
        let plain = |request: Request<Bytes>| {
            let body = request.body().clone();
            let response = self.cloud.borrow_mut().answer(request, self.storage_clock());
            let mut record = self.record.borrow_mut();
            record.done(source, call, &body, &response);
            if source.role == Role::Outsider || !response.status().is_success() {
                record.note(self.exec.now(), || format!("{} => {}", who(source), outcome(&response)));
            }
            response
        };
        match self.mutation {
            Some(mutation) => crate::mutation::apply(self, mutation, source, call, request, &plain),
            None => plain(request),
        }
    }

    fn lie(&self, source: Source, call: &Call, response: Response<Bytes>) -> Response<Bytes> {
        match self.mutation {
            Some(mutation) => crate::mutation::lie(mutation, source, call, response),
            None => response,
        }
    }

    /// Something done to storage from outside, at once and without trouble.
    pub fn outside(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        self.cloud.borrow().sign(&mut request, self.storage_clock());
        let call = Call::of(&request);
        self.note(|| format!("outsider  {}", describe(&call, &request)));
        let body = request.body().clone();
        let response = self.cloud.borrow_mut().answer(request, self.storage_clock());
        self.record.borrow_mut().done(self.source(OUTSIDER), &call, &body, &response);
        response
    }

    fn fault(&self, source: Source, call: &Call) -> Option<Fault> {
        if self.calm.get() || source.role == Role::Outsider {
            return None;
        }
        let mut asked = self.asked.borrow_mut();
        let count = asked.entry(call.op).or_default();
        *count += 1;
        let planned = self.faults.get(&(call.op, *count - 1)).copied();
        drop(asked);
        let fault = planned.or_else(|| self.outage(source.now, call));
        if fault.is_some() {
            self.record.borrow_mut().count("fault");
        }
        fault
    }

    fn outage(&self, now: Duration, call: &Call) -> Option<Fault> {
        let hit = call.part()?;
        self.scenario.elements.iter().find_map(|element| match element {
            Element::Outage { at, lasts, part, status }
                if (*at..*at + *lasts).contains(&now) && (*part == hit || *part == Part::Everything) =>
            {
                Some(Fault::Refused(*status))
            }
            _ => None,
        })
    }
}

/// Counts a call of a handler while its worker waits for it.
struct Running {
    world: Rc<World>,
    instance: InstanceId,
}

impl Running {
    fn begin(world: &Rc<World>, instance: InstanceId) -> Self {
        let most = world.knobs().max_concurrency;
        let mut record = world.record.borrow_mut();
        let running = record.running.entry(instance).or_default();
        *running += 1;
        if *running > most {
            let what = format!("instance {instance} ran {running} handlers at a time, max_concurrency is {most}");
            record.broken(Promise::P8, world.exec.now(), what);
        }
        drop(record);
        Self { world: Rc::clone(world), instance }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(running) = self.world.record.borrow_mut().running.get_mut(&self.instance) {
            *running = running.saturating_sub(1);
        }
    }
}

fn true_time(now: Duration) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(BEGINNING).unwrap_or(OffsetDateTime::UNIX_EPOCH) + now
}

/// The same request again.
#[must_use]
pub fn copy(request: &Request<Bytes>) -> Request<Bytes> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// An answer of a service, or of something in front of it, that could not do its work.
fn refusal(status: u16) -> Response<Bytes> {
    let code = match status {
        500 => "InternalError",
        503 => "ServerBusy",
        408 => "OperationTimedOut",
        401 => "InvalidAuthenticationInfo",
        _ => "TooManyRequests",
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-ms-error-code", HeaderValue::from_static(code));
    if status == 503 || status == 429 {
        headers.insert("retry-after", HeaderValue::from(ASKED_TO_WAIT.as_secs()));
    }
    let mut response =
        Response::new(Bytes::from(format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>")));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

/// A name for the sender, for the timeline.
#[must_use]
pub fn who(source: Source) -> String {
    match source.role {
        Role::Api => format!("api-{:<5}", source.instance),
        Role::Worker => format!("worker-{:<2}", source.instance),
        Role::Outsider => "outsider ".to_owned(),
    }
}

fn describe(call: &Call, request: &Request<Bytes>) -> String {
    let mut text = format!("{:?}", call.op);
    if let Some(queue) = call.queue {
        text += &format!(" {queue:?}");
    }
    let what = call.message.as_ref().or(call.blob.as_ref());
    if let Some(what) = what {
        text += &format!(" {what}");
    }
    for name in ["if-match", "if-none-match"] {
        if let Some(value) = request.headers().get(name).and_then(|value| value.to_str().ok()) {
            text += &format!(" {name}:{value}");
        }
    }
    let query = request.uri().query().unwrap_or_default();
    if let Some(seconds) = query.split('&').find_map(|pair| pair.strip_prefix("visibilitytimeout=")) {
        text += &format!(" for {seconds}s");
    }
    if call.op == Op::PutStatus
        && let Ok(document) = serde_json::from_slice::<crate::record::Document>(request.body())
    {
        text += &format!(" {} attempt {}", document.state(), document.attempt);
    }
    text
}

fn outcome(response: &Response<Bytes>) -> String {
    let code = response.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default();
    format!("{} {code}", response.status().as_u16()).trim_end().to_owned()
}
