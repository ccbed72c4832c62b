//! The launchers of the workers: they start drains when there is something to do, as the launcher and the platform's
//! scale rules do together, and stops or kills them when the scenario says so.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::{Either, select};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use lifecycle::pace::{Ending, Next, Pace};
use models::DrainReport;

use crate::cloud::DRAIN_TOKEN;
use crate::fleet::{Fleet, Input};
use crate::mutation::Mutation;
use crate::random::Rng;
use crate::record::Role;
use crate::scenario::Index;
use crate::world::World;

/// How often an idle launcher checks while clients are still active.
const IDLE_PAUSE: Duration = Duration::from_millis(700);
/// `--idle-max` of the launcher.
const MAX_IDLE_PAUSE: Duration = Duration::from_secs(5);
/// Time between two wake-ups for the sweep: what the infrastructure's cron rule does.
const SWEEP_PAUSE: Duration = Duration::from_secs(300);
/// Time between two checks of the other loops while a task is not finished and nothing happens.
const RECHECK_PAUSE: Duration = Duration::from_secs(10);
/// Longest time between two wake-ups for the sweep, once everything is quiet.
const MAX_SWEEP_PAUSE: Duration = Duration::from_secs(24 * 3_600);

/// One worker's launcher: the pace of the shipped one, on top of a platform that starts replicas when there is
/// something to do.
pub struct Launcher {
    world: Rc<World>,
    fleet: Rc<Fleet>,
    index: Index,
    pace: RefCell<Vec<Pace>>,
    /// To the running drain of each loop.
    lines: RefCell<Vec<Option<mpsc::UnboundedSender<Bytes>>>>,
    released_at: Cell<Option<Duration>>,
    /// How many drains are going on, of all launchers.
    draining: Rc<Cell<usize>>,
    faults_off: Rc<Cell<bool>>,
    /// How many clients and others may still do something.
    players: Rc<Cell<usize>>,
    rng: RefCell<Rng>,
}

impl Launcher {
    /// The launcher of the worker at `index`.
    #[must_use]
    pub fn new(
        world: &Rc<World>,
        fleet: &Rc<Fleet>,
        index: Index,
        draining: &Rc<Cell<usize>>,
        faults_off: &Rc<Cell<bool>>,
        players: &Rc<Cell<usize>>,
    ) -> Rc<Self> {
        let loops = world.knobs().parallel;
        let paces = if world.mutation == Some(Mutation::RestAlone) { loops } else { 1 };
        Rc::new(Self {
            world: Rc::clone(world),
            fleet: Rc::clone(fleet),
            index,
            pace: RefCell::new(vec![Pace::new(loops, MAX_IDLE_PAUSE); paces]),
            lines: RefCell::new((0..loops).map(|_| None).collect()),
            released_at: Cell::default(),
            draining: Rc::clone(draining),
            faults_off: Rc::clone(faults_off),
            players: Rc::clone(players),
            rng: RefCell::new(Rng::fork(world.scenario.seed, 500 + index as u64)),
        })
    }

    /// The loop `own` of this launcher: drains whenever there is something to do.
    pub async fn run(self: Rc<Self>, own: Index) {
        let world = &self.world;
        let knobs = world.knobs();
        let is_first = self.index == 0 && own == 0;
        let mut nap = SWEEP_PAUSE.min(Duration::from_secs(knobs.sweep_interval));
        let mut sweep_at = nap;
        loop {
            let now = world.exec.now();
            if let Next::Wait(pause) = self.pace(own, |pace| pace.next(own, now)) {
                // Another loop's end may shorten it.
                world.exec.sleep(pause.min(IDLE_PAUSE)).await;
                continue;
            }
            let next = world.record.borrow().next_visible();
            // Only one of them keeps watch when nothing happens.
            let sweeps = is_first && now >= sweep_at;
            // Not all workers come at once for one message.
            let turn = knobs.workers * knobs.parallel == 1 || self.rng.borrow_mut().chance(55);
            if sweeps || turn && next.is_some_and(|next| next <= now) {
                if sweeps {
                    // Waiting for a task of next week, the platform's clock wakes no worker more often than needed.
                    let start = world.record.borrow().next_start();
                    let idle = self.faults_off.get() && start.is_none_or(|start| start > now);
                    nap = if idle { (nap * 2).min(MAX_SWEEP_PAUSE) } else { SWEEP_PAUSE };
                    sweep_at =
                        (now + nap).min(start.map_or(Duration::MAX, |start| start.max(now) + SWEEP_PAUSE));
                }
                let ending = self.drain(own).await;
                let (now, fraction) = (world.exec.now(), self.fraction());
                self.pace(own, |pace| pace.ended(own, ending, now, fraction));
                continue;
            }
            let due = if is_first { sweep_at } else { Duration::MAX };
            let due = next.map_or(due, |next| next.min(due));
            // A client that tries again, or a request that is late, may bring a message.
            let over = self.faults_off.get() && self.players.get() == 0 && world.under_way() == 0;
            let quiet = over && self.draining.get() == 0;
            let start = world.record.borrow().next_start();
            let longest = match start {
                _ if !quiet => IDLE_PAUSE,
                // The sweep may send a message at any time.
                Some(start) if start <= now => RECHECK_PAUSE,
                _ => MAX_SWEEP_PAUSE,
            };
            let least = Duration::from_millis(if turn { 1 } else { 60 });
            world.exec.sleep(due.saturating_sub(now).clamp(least, longest)).await;
        }
    }

    fn pace<T>(&self, own: Index, change: impl FnOnce(&mut Pace) -> T) -> T {
        let mut paces = self.pace.borrow_mut();
        let which = own.min(paces.len().saturating_sub(1));
        match paces.get_mut(which) {
            Some(pace) => change(pace),
            None => change(&mut Pace::new(0, MAX_IDLE_PAUSE)),
        }
    }

    fn fraction(&self) -> f64 {
        f64::from(u32::try_from(self.rng.borrow_mut().below(1_000)).unwrap_or(0)) / 1_000.0
    }

    /// One drain, and how it ended.
    async fn drain(&self, own: Index) -> Ending {
        let (tx, rx) = mpsc::unbounded();
        self.set_line(own, Some(tx));
        self.draining.set(self.draining.get() + 1);
        let started = self.world.exec.now();
        self.world.drain_begins(self.index);
        let mut request = Request::new(Input::Lines(rx));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = "http://worker.test/drain".parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert("host", HeaderValue::from_static("worker.test"));
        headers.insert("drain-control", HeaderValue::from_static("stream"));
        if let Ok(value) = HeaderValue::from_str(&format!("{own}/{}", self.world.knobs().parallel)) {
            headers.insert("drain-share", value);
        }
        if let Ok(value) = HeaderValue::from_str(&format!("Bearer {DRAIN_TOKEN}")) {
            headers.insert("authorization", value);
        }
        self.world.note(|| format!("launcher  POST /drain to worker {}, loop {own}", self.index));
        let place = Fleet::place_of(&self.world, self.index, own);
        let response = self.respond(own, place, request).await;
        let now = self.world.exec.now();
        self.draining.set(self.draining.get() - 1);
        self.world.drain_is_over();
        self.set_line(own, None);
        self.world.note(|| {
            let text = response.as_ref().map_or("no response".into(), |response| {
                format!("{} {}", response.status().as_u16(), String::from_utf8_lossy(response.body()))
            });
            format!("launcher  drain of worker {}, loop {own} ended: {text}", self.index)
        });
        let Some(response) = response else { return Ending::failed(None) };
        self.world.drain_responded(self.index, &response);
        let since_release = self.released_at.get().filter(|at| *at >= started).map(|at| now - at);
        self.world.drain_ended(now - started, since_release, &response);
        let mut ending = understand(&response);
        if self.world.mutation == Some(Mutation::ForgetRest) {
            ending.rest = None;
        }
        ending
    }

    async fn respond(&self, own: Index, place: Index, request: Request<Input>) -> Option<Response<Bytes>> {
        let response = pin!(self.fleet.call(&self.world, Role::Worker, place, request));
        if self.world.mutation != Some(Mutation::StopAtBudget) {
            return response.await;
        }
        let budget = Duration::from_secs(self.world.knobs().drain_seconds);
        match select(response, pin!(self.world.exec.sleep(budget))).await {
            Either::Left((response, _)) => response,
            Either::Right(((), response)) => {
                self.tell(own, "stop\n");
                response.await
            }
        }
    }

    /// The worker's host is being stopped: `stop`, after `grace` `release`, then it ends.
    pub async fn stop(self: Rc<Self>, grace: Duration) {
        self.tell_all("stop\n");
        self.world.exec.sleep(grace).await;
        self.released_at.set(Some(self.world.exec.now()));
        self.tell_all("release\n");
        self.world.exec.sleep(Duration::from_secs(20)).await;
        self.fleet.kill_worker(&self.world, self.index, "its host was stopped");
    }

    fn tell_all(&self, line: &'static str) {
        self.world.note(|| format!("launcher  tells worker {} to {}", self.index, line.trim()));
        for own in 0..self.world.knobs().parallel {
            self.tell(own, line);
        }
    }

    fn tell(&self, own: Index, line: &'static str) {
        if let Some(Some(lines)) = self.lines.borrow().get(own) {
            // A drain that has just ended reads no more orders.
            let _ = lines.unbounded_send(Bytes::from_static(line.as_bytes()));
        }
    }

    fn set_line(&self, own: Index, line: Option<mpsc::UnboundedSender<Bytes>>) {
        if let Some(place) = self.lines.borrow_mut().get_mut(own) {
            *place = line;
        }
    }
}

/// As the shipped launcher reads a response.
fn understand(response: &Response<Bytes>) -> Ending {
    if response.status() != StatusCode::OK {
        let seconds =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        return Ending::failed(seconds.map(Duration::from_secs));
    }
    serde_json::from_slice::<DrainReport>(response.body())
        .map_or_else(|_| Ending::failed(None), |report| Ending::of(&report))
}
