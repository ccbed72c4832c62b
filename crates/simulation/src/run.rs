//! Plays one scenario to its end.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::call::{QUEUE, QueueKind};
use crate::clients::Clients;
use crate::fleet::{Fleet, Runner};
use crate::launcher::Launcher;
use crate::mutation::Mutation;
use crate::promise::{Promise, Violation};
use crate::random::Rng;
use crate::record::Role;
use crate::scenario::{Credential, Element, Foreign, Scenario};
use crate::world::{NEVER_CRASHES, World};
use crate::{requests, update, verdict};

/// How long everything may take to end after the fault period: the longest delay of a task is
/// seven days.
const MAX_RUN: Duration = Duration::from_secs(9 * 86_400);
/// How long after its time a task may be unfinished before the run ends without it.
const MAX_OVERDUE: Duration = Duration::from_secs(28 * 3_600);
/// A run that takes more steps than this does not end.
const MAX_POLLS: u64 = 3_000_000;

/// The result of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Promises broken.
    pub violations: Vec<Violation>,
    /// The timeline, when it was asked for.
    pub trace: Vec<String>,
    /// Number of observations by kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// Requests that components sent.
    pub requests: u64,
    /// Virtual time that passed.
    pub lasted: Duration,
}

/// A run that has begun.
pub struct Run {
    world: Rc<World>,
    fleet: Rc<Fleet>,
    players: Rc<Cell<usize>>,
    draining: Rc<Cell<usize>>,
    faults_off: Rc<Cell<bool>>,
}

impl Run {
    /// Sets everything up at virtual time zero.
    #[must_use]
    pub fn new(
        scenario: Scenario,
        runner: Rc<dyn Runner>,
        mutation: Option<Mutation>,
        tracing: bool,
    ) -> Self {
        let world = World::new(scenario, mutation, tracing);
        let fleet = Rc::new(Fleet::new(runner, &world));
        let run =
            Self { world, fleet, players: Rc::default(), draining: Rc::default(), faults_off: Rc::default() };
        run.begin();
        run
    }

    /// The world, for the executor of its time.
    #[must_use]
    pub fn world(&self) -> &Rc<World> {
        &self.world
    }

    fn begin(&self) {
        let world = &self.world;
        if world.knobs().storage_exists {
            world.outside(requests::create_container());
            for queue in [
                QUEUE.to_owned(),
                format!("{QUEUE}-scheduled"),
                format!("{QUEUE}-events"),
                format!("{QUEUE}-poison"),
            ] {
                world.outside(requests::create_queue(&queue));
            }
        }
        let launchers: Vec<_> = (0..world.knobs().workers)
            .map(|index| {
                Launcher::new(world, &self.fleet, index, &self.draining, &self.faults_off, &self.players)
            })
            .collect();
        for launcher in &launchers {
            for own in 0..world.knobs().parallel {
                world.exec.spawn(NEVER_CRASHES, Rc::clone(launcher).run(own));
            }
        }
        let clients = Clients::new(world, &self.fleet);
        for (index, element) in world.scenario.elements.iter().enumerate() {
            let matters = element.brings_work();
            self.players.set(self.players.get() + usize::from(matters));
            let (world, fleet, players) =
                (Rc::clone(world), Rc::clone(&self.fleet), Rc::clone(&self.players));
            let (clients, element, launchers) = (Rc::clone(&clients), element.clone(), launchers.clone());
            let rng = Rng::fork(world.scenario.seed, 100_000 + index as u64);
            self.world.exec.spawn(NEVER_CRASHES, async move {
                play(&world, &fleet, &launchers, element.clone(), rng).await;
                clients.play(element).await;
                players.set(players.get() - usize::from(matters));
            });
        }
        let (world, faults_off) = (Rc::clone(world), Rc::clone(&self.faults_off));
        self.world.exec.spawn(NEVER_CRASHES, async move {
            world.exec.sleep(world.scenario.faults_end_at()).await;
            world.note(|| "-- from here on nothing goes wrong --".to_owned());
            world.end_faults();
            faults_off.set(true);
        });
    }

    /// Whether there is nothing left to wait for.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let now = self.world.exec.now();
        let broken = !self.world.record.borrow().violations.is_empty();
        if broken
            || self.world.exec.polls() > MAX_POLLS
            || now > self.world.scenario.faults_end_at() + MAX_RUN
        {
            return true;
        }
        // Not before the last request that is late has arrived: it may create a message again.
        if self.players.get() > 0 || self.draining.get() > 0 || self.world.under_way() > 0 {
            return false;
        }
        let record = self.world.record.borrow();
        if self.faults_off.get()
            && record
                .next_start()
                .is_some_and(|start| now > start.max(record.faults_end_at) + MAX_OVERDUE + record.hours)
        {
            return true;
        }
        record.waiting() == 0 && record.all_ended()
    }

    /// Checks what can only be checked at the end, and takes everything down.
    #[must_use]
    pub fn finish(self) -> Outcome {
        let world = &self.world;
        if world.exec.polls() > MAX_POLLS {
            let text = format!("the run took more than {MAX_POLLS} steps");
            world.record.borrow_mut().broken(Promise::P8, world.exec.now(), text);
        }
        verdict::judge(world);
        world.exec.clear();
        let lasted = world.exec.now();
        let mut record = world.record.borrow_mut();
        Outcome {
            violations: std::mem::take(&mut record.violations),
            trace: record.trace.take().unwrap_or_default(),
            counts: std::mem::take(&mut record.counts),
            requests: record.requests,
            lasted,
        }
    }
}

/// Plays `scenario` natively.
#[must_use]
pub fn native(scenario: Scenario, mutation: Option<Mutation>, tracing: bool) -> Outcome {
    let run = Run::new(scenario, Rc::new(crate::native::Native), mutation, tracing);
    run.world.exec.run_until(|| run.is_done());
    run.finish()
}

/// Plays an element that is not a client's.
async fn play(
    world: &Rc<World>,
    fleet: &Rc<Fleet>,
    launchers: &[Rc<Launcher>],
    element: Element,
    mut rng: Rng,
) {
    match element {
        Element::Foreign { at, what } => {
            world.exec.sleep(at).await;
            write_externally(world, what);
        }
        Element::KillWorker { at, worker } => {
            world.exec.sleep(at).await;
            fleet.kill_worker(world, worker, "its host was killed");
        }
        Element::KillApi { at, api } => {
            world.exec.sleep(at).await;
            fleet.kill(world, Role::Api, api, "its host was killed");
        }
        Element::StopWorker { at, worker, grace } => {
            world.exec.sleep(at).await;
            if let Some(launcher) = launchers.get(worker) {
                Rc::clone(launcher).stop(grace).await;
            }
        }
        Element::Update { at, grace, .. } => {
            world.exec.sleep(at).await;
            update::update(world, fleet, launchers, grace).await;
        }
        Element::LeasesEnd { at } => {
            world.exec.sleep(at).await;
            world.note(|| "storage   shows all messages before their time".to_owned());
            world.cloud.borrow_mut().reveal(world.storage_clock());
            let now = world.exec.now();
            let mut record = world.record.borrow_mut();
            for message in record.messages.values_mut().filter(|message| message.queue == QueueKind::Tasks) {
                message.visible_at = now;
            }
        }
        Element::ClockSet { at, workers, ahead } => {
            world.exec.sleep(at).await;
            world.set_clocks(if workers { Role::Worker } else { Role::Api }, ahead);
        }
        Element::Rotate { at } => {
            world.exec.sleep(at).await;
            world.note(|| "storage   has new keys".to_owned());
            world.cloud.borrow_mut().rotate(&mut rng, &mut world.record.borrow_mut().secrets);
            if world.knobs().credential == Credential::SharedKey {
                fleet.kill_all(world, "its configuration was changed");
            }
        }
        Element::QueueLost { at, queue } => {
            world.exec.sleep(at).await;
            world.lose(queue);
        }
        Element::Submit { .. }
        | Element::Ask { .. }
        | Element::Pause { .. }
        | Element::Schedule { .. }
        | Element::Fault { .. }
        | Element::Unreliable { .. }
        | Element::Outage { .. } => {}
    }
}

fn write_externally(world: &Rc<World>, what: Foreign) {
    world.outside(requests::create_queue(QUEUE));
    world.outside(requests::create_container());
    let id_of = |task: usize| world.scenario.tasks.get(task).map(|task| task.id.clone()).unwrap_or_default();
    let message = match what {
        Foreign::Garbage(text) => text,
        Foreign::SecondMessage(task) => {
            format!(r#"{{"TaskId":"{}","CreatedAt":"2026-11-22T05:00:00.000Z"}}"#, id_of(task))
        }
        Foreign::DotNet { id, status, document } => {
            let text = format!(
                r#"{{"TaskName":"task","TaskDescription":"from .NET","Status":{status},"TaskId":"{id}","Priority":2,"returnUri":null}}"#
            );
            if document {
                world.outside(requests::put_blob(&format!("{id}-202"), text.clone()));
            }
            text
        }
        Foreign::Deadly(task) => {
            format!(r#"{{"TaskId":"{}","CreatedAt":"2026-11-22T05:00:00.000Z","Deadly":true}}"#, id_of(task))
        }
        Foreign::Unusable(task) => format!(r#"{{"TaskId":"{}","Priority":99}}"#, id_of(task)),
        Foreign::UnreadableDocument { id, content } => {
            world.outside(requests::put_blob(&format!("{id}-202"), content));
            format!(r#"{{"TaskId":"{id}","CreatedAt":"2026-11-22T05:00:00.000Z"}}"#)
        }
    };
    world.outside(requests::put_message(QUEUE, &message));
}
