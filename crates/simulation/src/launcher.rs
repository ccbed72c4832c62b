//! What drives the workers: wakes them when there is something to do, as the launcher and the platform's
//! scale rules do together, and stops or kills them when the scenario says so.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use http::{HeaderValue, Method, Request};

use crate::cloud::DRAIN_TOKEN;
use crate::fleet::{Fleet, Input};
use crate::random::Dice;
use crate::record::Role;
use crate::scenario::Index;
use crate::world::World;

/// How often an idle launcher looks while clients are still about.
const LOOK: Duration = Duration::from_millis(700);
/// Time between two wake-ups for the sweep: what the infrastructure's cron rule does.
const NAP: Duration = Duration::from_secs(300);
/// Longest time between two wake-ups for the sweep, once everything is quiet.
const LONGEST_NAP: Duration = Duration::from_secs(24 * 3_600);

/// One worker's launcher.
pub struct Launcher {
    world: Rc<World>,
    fleet: Rc<Fleet>,
    index: Index,
    lines: RefCell<Option<mpsc::UnboundedSender<Bytes>>>,
    released_at: Cell<Option<Duration>>,
    /// How many drains are going on, of all launchers.
    draining: Rc<Cell<usize>>,
    calm: Rc<Cell<bool>>,
    dice: RefCell<Dice>,
}

impl Launcher {
    /// The launcher of the worker at `index`.
    #[must_use]
    pub fn new(
        world: &Rc<World>,
        fleet: &Rc<Fleet>,
        index: Index,
        draining: &Rc<Cell<usize>>,
        calm: &Rc<Cell<bool>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            world: Rc::clone(world),
            fleet: Rc::clone(fleet),
            index,
            lines: RefCell::default(),
            released_at: Cell::default(),
            draining: Rc::clone(draining),
            calm: Rc::clone(calm),
            dice: RefCell::new(Dice::fork(world.scenario.seed, 500 + index as u64)),
        })
    }

    /// Drains whenever there is something to do, for ever.
    pub async fn run(self: Rc<Self>) {
        let world = &self.world;
        let mut nap = NAP.min(Duration::from_secs(world.knobs().sweep_interval));
        let mut sweep_at = nap;
        loop {
            let now = world.exec.now();
            let next = world.record.borrow().next_visible();
            // Only one of them keeps watch when nothing happens.
            let sweeps = self.index == 0 && now >= sweep_at;
            // Not all workers come at once for one message.
            let turn = world.knobs().workers == 1 || self.dice.borrow_mut().chance(55);
            if sweeps || turn && next.is_some_and(|next| next <= now) {
                if sweeps {
                    // Waiting for a task of next week, the platform's clock wakes nobody more often than needed.
                    let start = world.record.borrow().next_start();
                    let idle = self.calm.get() && start.is_none_or(|start| start > now);
                    nap = if idle { (nap * 2).min(LONGEST_NAP) } else { NAP };
                    sweep_at = (now + nap).min(start.map_or(Duration::MAX, |start| start.max(now) + NAP));
                }
                let more = self.drain().await;
                let pause = if more { Duration::from_millis(10) } else { Duration::from_millis(300) };
                world.exec.sleep(pause).await;
                continue;
            }
            let due = if self.index == 0 { sweep_at } else { Duration::MAX };
            let due = next.map_or(due, |next| next.min(due));
            let quiet = self.calm.get() && self.draining.get() == 0;
            let longest = if quiet { LONGEST_NAP } else { LOOK };
            let least = Duration::from_millis(if turn { 1 } else { 60 });
            world.exec.sleep(due.saturating_sub(now).clamp(least, longest)).await;
        }
    }

    /// One drain. Whether there is more to do.
    async fn drain(&self) -> bool {
        let (tx, rx) = mpsc::unbounded();
        *self.lines.borrow_mut() = Some(tx);
        self.released_at.set(None);
        self.draining.set(self.draining.get() + 1);
        let started = self.world.exec.now();
        let mut request = Request::new(Input::Lines(rx));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = "http://worker.test/drain".parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert("host", HeaderValue::from_static("worker.test"));
        headers.insert("drain-control", HeaderValue::from_static("stream"));
        if let Ok(value) = HeaderValue::from_str(&format!("Bearer {DRAIN_TOKEN}")) {
            headers.insert("authorization", value);
        }
        self.world.note(|| format!("launcher  POST /drain to worker {}", self.index));
        let answer = self.fleet.call(&self.world, Role::Worker, self.index, request).await;
        let now = self.world.exec.now();
        self.draining.set(self.draining.get() - 1);
        self.lines.borrow_mut().take();
        self.world.note(|| {
            let text = answer.as_ref().map_or("no answer".into(), |answer| {
                format!("{} {}", answer.status().as_u16(), String::from_utf8_lossy(answer.body()))
            });
            format!("launcher  drain of worker {} ended: {text}", self.index)
        });
        let Some(answer) = answer else { return false };
        self.world.drain_ended(now - started, self.released_at.get().map(|at| now - at));
        if answer.status() != 200 {
            // As the real one: a worker that cannot drain is not asked again at once.
            self.world.exec.sleep(Duration::from_secs(2)).await;
        }
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if let Some(rest) = body.get("retryAfterSeconds").and_then(serde_json::Value::as_u64) {
            self.world.exec.sleep(Duration::from_secs(rest.min(3_600))).await;
        }
        body.get("more").and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// The worker's host is being stopped: `stop`, after `grace` `release`, then it is gone.
    pub async fn stop(self: Rc<Self>, grace: Duration) {
        self.tell("stop\n");
        self.world.exec.sleep(grace).await;
        self.released_at.set(Some(self.world.exec.now()));
        self.tell("release\n");
        self.world.exec.sleep(Duration::from_secs(20)).await;
        self.fleet.kill(&self.world, Role::Worker, self.index, "its host was stopped");
    }

    fn tell(&self, line: &'static str) {
        self.world.note(|| format!("launcher  tells worker {} to {}", self.index, line.trim()));
        if let Some(lines) = &*self.lines.borrow() {
            // A drain that has just ended hears nothing any more.
            let _ = lines.unbounded_send(Bytes::from_static(line.as_bytes()));
        }
    }
}
