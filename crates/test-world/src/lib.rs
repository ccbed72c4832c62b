//! The surroundings of a program under test: [`TestWorld`] implements every trait that the API, the worker and the
//! storage client require of their environment.
//!
//! - Time is virtual: tokio's paused clock, which advances only while every task waits. The wall clock starts at
//!   [`START`] and can be set apart from storage's clock.
//! - Random numbers come from a fixed seed.
//! - Storage is [`FakeAzure`] behind `Transport`, with a switch for faults and a list of the
//!   requests. Other hosts respond as the test says.
//! - Log lines are captured.
//!
//! # Layout
//! - `env`: the environment traits; `fault`: what can happen to a request; `contents`: reading and changing what is
//!   stored, without requests.
//! - [`application`]: the same for the whole application under the embedded host, which has a clock of its own.
//! - [`growth`]: what its operations cost over a full storage account.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test world states its expectations as tests do; nothing here is shipped"
)]

pub mod application;
mod contents;
mod env;
mod fault;
pub mod growth;
mod request;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use fake_azure::{Config, FakeAzure, Operation};
use http::{Request, Response};
use models::Timestamp;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::SeedableRng as _;
use service::log::Line;
use service::settings::WorkerSettings;
use storage::WorkerStorage;
use tokio::time::Instant;

pub use contents::CONTAINER;
pub use fault::Fault;
pub use request::StorageRequest;

/// The wall-clock time at which every test starts.
pub const START: &str = "2026-11-20T10:00:00.000Z";

/// The connection string of the emulator's account.
pub const EMULATOR: &str = "UseDevelopmentStorage=true";

type Faults = Box<dyn FnMut(&StorageRequest) -> Fault>;
type OtherHosts = Box<dyn FnMut(&Request<Bytes>) -> Option<(Duration, Response<Bytes>)>>;

/// Virtual time, storage in memory, faults, and everything the program under test has sent and logged.
pub struct TestWorld {
    /// The storage services. Changes made here need no request.
    pub azure: RefCell<FakeAzure>,
    started: Instant,
    start: Timestamp,
    /// How far the program's wall clock is ahead of storage's.
    clock_offset: Cell<time::Duration>,
    /// Duration of a request to storage, half before and half after its effect.
    latency: Cell<Duration>,
    random: RefCell<SplitMix64>,
    faults: RefCell<Faults>,
    other_hosts: RefCell<OtherHosts>,
    requests: RefCell<Vec<StorageRequest>>,
    log: RefCell<Vec<(Timestamp, Line)>>,
}

impl TestWorld {
    /// An empty storage account, no faults, no latency. Must be called within a tokio runtime whose time is paused.
    ///
    /// # Panics
    /// Outside of such a runtime.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            azure: RefCell::new(FakeAzure::new(Config::default()).expect("the default keys are base64")),
            started: Instant::now(),
            start: START.parse().expect("a timestamp"),
            clock_offset: Cell::default(),
            latency: Cell::default(),
            random: RefCell::new(SplitMix64::seed_from_u64(7)),
            faults: RefCell::new(Box::new(|_| Fault::None)),
            other_hosts: RefCell::new(Box::new(|_| None)),
            requests: RefCell::default(),
            log: RefCell::default(),
        })
    }

    /// The wall-clock time of storage, which is the true one.
    pub fn now(&self) -> Timestamp {
        self.start.plus(self.started.elapsed())
    }

    /// Sets the program's wall clock ahead of storage's, by a number of seconds that may be negative.
    pub fn set_clock(&self, seconds: i64) {
        self.clock_offset.set(time::Duration::seconds(seconds));
    }

    /// Sets the duration of every request to storage. Half of it passes before the request takes effect.
    pub fn set_latency(&self, latency: Duration) {
        self.latency.set(latency);
    }

    /// From now on `faults` decides what happens to each request to storage.
    pub fn fail(&self, faults: impl FnMut(&StorageRequest) -> Fault + 'static) {
        *self.faults.borrow_mut() = Box::new(faults);
    }

    /// The next request for `operation` meets `fault`; all others are served.
    pub fn fail_once(&self, operation: Operation, fault: Fault) {
        let mut next = Some(fault);
        self.fail(move |request| {
            let is_meant = request.operation == operation;
            next.take_if(|_| is_meant).unwrap_or(Fault::None)
        });
    }

    /// From now on every request to storage is served.
    pub fn end_faults(&self) {
        self.fail(|_| Fault::None);
    }

    /// Runs `work` while every request to storage is served; afterwards the faults are as before.
    pub async fn without_faults<F: Future>(&self, work: F) -> F::Output {
        let faults = self.faults.replace(Box::new(|_| Fault::None));
        let output = work.await;
        *self.faults.borrow_mut() = faults;
        output
    }

    /// From now on `hosts` is asked before storage: a request for which it has a response gets it after the time
    /// beside it, piece by piece, one line after another.
    ///
    /// A [`azure::TransportError`] in its extensions takes its place.
    pub fn serve_other_hosts(
        &self,
        hosts: impl FnMut(&Request<Bytes>) -> Option<(Duration, Response<Bytes>)> + 'static,
    ) {
        *self.other_hosts.borrow_mut() = Box::new(hosts);
    }

    /// The requests to storage since the start or the last [`Self::forget_requests`], as text.
    pub fn requests(&self) -> Vec<String> {
        self.requests.borrow().iter().map(ToString::to_string).collect()
    }

    /// The operations of the same requests; forgets the requests.
    pub fn take_operations(&self) -> Vec<Operation> {
        self.requests.take().into_iter().map(|request| request.operation).collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.requests.borrow_mut().clear();
    }

    /// The log lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.log.borrow().iter().map(|(_, line)| line.clone()).collect()
    }

    /// The log lines so far as they are printed.
    pub fn logged(&self) -> String {
        self.log.borrow().iter().map(|(time, line)| line.to_json(*time) + "\n").collect()
    }

    /// Forgets the log lines so far.
    pub fn forget_lines(&self) {
        self.log.borrow_mut().clear();
    }

    /// A second client of the same storage account. Its requests meet the same faults and are listed too.
    ///
    /// # Panics
    /// Never: the variables it uses are valid.
    pub fn storage(self: &Rc<Self>) -> WorkerStorage {
        let settings = WorkerSettings::from_variables(&variables(&[])).expect("the emulator's account");
        storage::open(self.clone(), &settings.storage).expect("the emulator's account")
    }
}

/// The configuration variables `given`, and the emulator's account where they name none.
pub fn variables(given: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut values: Vec<(String, String)> = given.iter().map(owned).collect();
    let names_account = |name: &str| {
        matches!(
            name,
            "storage_connection_string" | "storage_account_name" | "blob_endpoint" | "identity_endpoint"
        )
    };
    if !given.iter().any(|(name, _)| names_account(name)) {
        values.push(("storage_connection_string".to_owned(), EMULATOR.to_owned()));
    }
    move |name| values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}
