//! The world of one run: machines, clocks, and what is recorded of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

use crate::cloud::Cloud;
use crate::epoch::EPOCH;
use crate::executor::{Executor, Group};
use crate::mutation::{self, Memory, Mutation};
use crate::queues::QueueKind;
use crate::random::Rng;
use crate::record::{InstanceId, Record, Role};
use crate::scenario::{Ask, Element, Fault, Index, Knobs, Op, Scenario, TOLERATED_SKEW_MS};
use crate::watch::Source;

/// The group of everything that never crashes, such as clients and launchers.
pub const NEVER_CRASHES: Group = Group(1);
/// The instance number of another writer that has access to storage.
pub const EXTERNAL_WRITER: InstanceId = 0;

struct Machine {
    role: Role,
    alive: bool,
    skew: time::Duration,
    settings: Knobs,
}

/// Everything that one run consists of.
pub struct World {
    /// Virtual time and the running futures.
    pub exec: Executor,
    /// The observations.
    pub record: RefCell<Record>,
    /// The scenario.
    pub scenario: Scenario,
    /// The services.
    pub cloud: RefCell<Cloud>,
    /// The mutation, if there is one.
    pub mutation: Option<Mutation>,
    /// What mutations have to remember.
    pub memory: RefCell<Memory>,
    machines: RefCell<Vec<Machine>>,
    pub(crate) faults: BTreeMap<(Op, u32), Fault>,
    pub(crate) asked: RefCell<BTreeMap<Op, u32>>,
    rng: RefCell<Rng>,
    /// When queues were deleted.
    pub(crate) deleted_queues: RefCell<BTreeMap<QueueKind, Duration>>,
    /// Decides which requests to an unreliable service go wrong.
    pub(crate) chance: RefCell<Rng>,
    pub(crate) faults_off: Cell<bool>,
    pub(crate) rate_limit: u32,
    pub(crate) under_way: Cell<usize>,
    /// How many milliseconds the wall clocks of workers, and of the API, have been set ahead.
    steps: [Arc<AtomicI64>; 2],
    /// How many replicas of the API and of the worker have the new settings.
    pub(crate) updated: Cell<(usize, usize)>,
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
        let tasks = scenario.most_submitted();
        // A clock that is hours off makes up for hundreds of firings. Their tasks are created, run and purged together.
        let fired = if scenario.knobs.schedules { scenario.firings().max(500) } else { 0 };
        let (of_schedules, tasks) = (3 * fired, tasks + fired);
        // A task has three events for the sink, and its end for a receiver, of up to five requests, which take no slot.
        let of_sink = if scenario.knobs.sink.is_empty() { 0 } else { 15 * tasks };
        let of_receivers = if scenario.knobs.events { 5 * scenario.most_submitted() } else { 0 };
        let of_events = of_sink + of_receivers;
        let mut record = Record::new(tracing);
        record.clocks_agree = scenario.clocks_agree();
        record.hours = scenario.hours();
        if scenario.knobs.scripted_concurrency > 0 {
            record.waits_for_name = record.hours;
        }
        if scenario.has_plain_order() {
            record.overtaking.slots = scenario.knobs.max_concurrency;
        }
        record.has_sink = !scenario.knobs.sink.is_empty();
        record.operator_removes = scenario
            .elements
            .iter()
            .any(|element| matches!(element, Element::Ask { ask: Ask::RemovePoison, .. }));
        record.schedules.max_ahead =
            Duration::from_millis(scenario.knobs.skew_ms() + 2 * scenario.clock_steps_ms() + 1_000);
        record.schedules.plans = scenario
            .elements
            .iter()
            .filter_map(|element| match element {
                Element::Schedule { plan, .. } => Some((plan.name.clone(), plan.clone())),
                _ => None,
            })
            .collect();
        record.clocks_mislead = scenario.clock_steps_ms() > TOLERATED_SKEW_MS;
        record.faults_end_at = scenario.faults_end_at();
        record.task_timeout = Duration::from_secs(scenario.knobs.task_timeout);
        let leases_end = scenario.elements.iter().any(|element| matches!(element, Element::LeasesEnd { .. }));
        let is_exact = scenario.knobs.instance_skew_ms == 0 && scenario.clock_steps_ms() == 0 && !leases_end;
        record.exact_epoch = is_exact.then_some(EPOCH);
        let cloud = Cloud::new(&scenario, &mut record.secrets);
        let (role, settings) = (Role::ExternalWriter, scenario.knobs.clone());
        let external_writer = Machine { role, alive: true, skew: time::Duration::ZERO, settings };
        let world = Rc::new(Self {
            exec: Executor::new(Rng::fork(seed, 2)),
            record: RefCell::new(record),
            cloud: RefCell::new(cloud),
            mutation,
            memory: RefCell::default(),
            machines: RefCell::new(vec![external_writer]),
            faults,
            asked: RefCell::default(),
            rng: RefCell::new(Rng::fork(seed, 3)),
            deleted_queues: RefCell::default(),
            chance: RefCell::new(Rng::fork(seed, 62)),
            faults_off: Cell::new(false),
            // More than a correct worker needs in its busiest second: see docs/performance.md.
            rate_limit: 150 + 12 * concurrency.min(tasks + 4) + of_events + of_schedules,
            under_way: Cell::new(0),
            steps: Default::default(),
            updated: Cell::default(),
            scenario,
        });
        world.record.borrow_mut().max_dequeue_count = world.least_dequeue_count();
        world
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

    /// Ends the fault period.
    pub fn end_faults(&self) {
        self.faults_off.set(true);
        for step in &self.steps {
            step.store(0, Ordering::Relaxed);
        }
    }

    /// By how much the wall clocks of a role have been set ahead, in milliseconds, now and later.
    #[must_use]
    pub fn clock_step(&self, role: Role) -> Arc<AtomicI64> {
        let [workers, apis] = &self.steps;
        Arc::clone(if role == Role::Worker { workers } else { apis })
    }

    /// Sets the wall clocks of a role.
    pub fn set_clocks(&self, role: Role, ahead_seconds: i64) {
        self.note(|| format!("clocks    of every {role:?} are {ahead_seconds} s ahead from now on"));
        self.clock_step(role).store(ahead_seconds * 1_000, Ordering::Relaxed);
    }

    /// Starts a new instance at a place.
    pub fn start(&self, role: Role, place: Index) -> InstanceId {
        let most = self.knobs().instance_skew_ms;
        let skew = match most {
            0 => 0,
            most => {
                let mut rng = self.rng.borrow_mut();
                i64::try_from(rng.below(2 * most)).unwrap_or(0) - i64::try_from(most).unwrap_or(0)
            }
        };
        let mut machines = self.machines.borrow_mut();
        let (skew, settings) = (time::Duration::milliseconds(skew), self.settings_of(role, place));
        if settings != *self.knobs() {
            self.record.borrow_mut().count("start with former settings");
        }
        machines.push(Machine { role, alive: true, skew, settings });
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

    /// Ends the instance and everything it was doing.
    pub fn crash(&self, instance: InstanceId, why: &str) {
        if let Some(machine) = self.machines.borrow_mut().get_mut(instance as usize) {
            machine.alive = false;
        }
        let mut record = self.record.borrow_mut();
        record.count("crash");
        record.note(self.exec.now(), || format!("instance {instance} dies: {why}"));
        record.died(instance, self.exec.now());
        record.slots_are_taken(instance, false, self.exec.now());
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

    /// What a variable of an instance is set to; `None` is its default.
    #[must_use]
    pub fn variable(&self, instance: InstanceId, name: &str) -> Option<String> {
        let value =
            self.machine(instance, |machine| self.cloud.borrow().variable(name, &machine.settings)).flatten();
        match self.mutation {
            Some(mutation) => mutation.variable(name, value),
            None => value,
        }
    }

    /// A line that an instance wrote to its log.
    pub fn log(&self, instance: InstanceId, line: &str) {
        let mut record = self.record.borrow_mut();
        record.note(self.exec.now(), || format!("log-{instance:<5} {line}"));
        let leak = self.mutation.and_then(|mutation| mutation::leak(mutation, &record));
        record.logs.push(line.to_owned());
        record.logs.extend(leak);
    }

    /// The wall clock of an instance.
    #[must_use]
    pub fn wall_clock(&self, instance: InstanceId) -> OffsetDateTime {
        let Some((role, skew)) = self.machine(instance, |machine| (machine.role, machine.skew)) else {
            return true_time(self.exec.now());
        };
        let set = match role {
            Role::ExternalWriter => 0,
            role => self.clock_step(role).load(Ordering::Relaxed),
        };
        true_time(self.exec.now()) + skew + time::Duration::milliseconds(set)
    }

    /// The monotonic clock of an instance.
    #[must_use]
    pub fn monotonic_clock(&self, instance: InstanceId) -> Duration {
        match self.mutation {
            Some(Mutation::JudgeByWallClock) => {
                let since = self.wall_clock(instance) - OffsetDateTime::UNIX_EPOCH;
                since.try_into().unwrap_or_default()
            }
            _ => self.exec.now(),
        }
    }

    /// What the clocks of clients show.
    #[must_use]
    pub fn true_time(&self) -> OffsetDateTime {
        true_time(self.exec.now())
    }

    /// The clock of the storage account.
    #[must_use]
    pub fn storage_clock(&self) -> OffsetDateTime {
        true_time(self.exec.now()) + time::Duration::milliseconds(self.knobs().storage_skew_ms)
    }

    /// The sender that `instance` is now.
    #[must_use]
    pub fn source(&self, instance: InstanceId) -> Source {
        let role = self.machine(instance, |machine| machine.role).unwrap_or(Role::ExternalWriter);
        let epoch = EPOCH + self.knobs().storage_skew_ms.div_euclid(1_000);
        Source { role, instance, now: self.exec.now(), epoch }
    }

    /// Time a message takes, one way.
    pub(crate) fn latency(&self) -> Duration {
        let most = self.knobs().latency_ms * 1_000;
        Duration::from_micros(self.rng.borrow_mut().between(200, most))
    }
}

fn true_time(now: Duration) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(EPOCH).unwrap_or(OffsetDateTime::UNIX_EPOCH) + now
}
