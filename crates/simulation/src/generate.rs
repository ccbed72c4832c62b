//! From a seed to a scenario.

mod duplicates;
mod schedules;
mod submissions;

use std::time::Duration;

use crate::crowd;
use crate::fault;
use crate::fault_period::{FAULT_PERIOD, moment};
use crate::garbage;
use crate::lost_queue;
use crate::outage;
use crate::random::Rng;
use crate::receiver;
use crate::scenario::{
    Ask, Credential, Element, Fault, Foreign, Identity, Index, Knobs, Op, Part, QueueKind, Route, Scenario,
    Step, TOLERATED_SKEW_MS, Task,
};
use crate::unreliable;
use crate::update;

/// The scenario of `seed`.
#[must_use]
pub fn scenario(seed: u64) -> Scenario {
    let mut rng = Rng::fork(seed, 1);
    let mut knobs = knobs(&mut rng);
    // A generator of its own leaves everything else as it was.
    let mut own = Rng::fork(seed, 6);
    let long = own.chance(2);
    knobs.parallel = if own.chance(if long { 25 } else { 60 }) { 2 } else { 1 };
    if long {
        patient(&mut knobs);
    }
    // Many small runs find more than few large ones, and can be read; now and then a large one.
    let count = match rng.below(20) {
        0..13 => 1,
        13..18 => rng.between(2, 3),
        18 => rng.between(4, 8),
        _ => rng.between(9, 16),
    };
    // A fifth of the runs have no faults: the promises hold there as well, order matters most, and it is
    // known how each task must end.
    let fault_free = rng.chance(20);
    // A tenth have one part that is out of order and no other fault, for longer than any count of deliveries
    // allows.
    let mut single = Rng::fork(seed, 8);
    let is_single = single.chance(10);
    let fault_free = fault_free || is_single;
    let mut tasks: Vec<Task> = (0..count).map(|_| task(&mut rng, &knobs, fault_free)).collect();
    let mut elements = Vec::new();
    let of_clients = tasks.len();
    if long {
        hours(&mut own, &mut tasks, &mut elements);
    }
    // Those that were added have their submission, under their id; another identity would make it another task.
    for index in 0..of_clients {
        clients(&mut rng, index, &mut elements);
    }
    if !fault_free && rng.chance(30) {
        foreign(&mut rng, tasks.len(), &mut elements);
    }
    if !fault_free {
        trouble(&mut rng, &knobs, &mut elements);
    }
    bulk(&mut Rng::fork(seed, 12), fault_free, &mut elements);
    submissions::limits(&mut Rng::fork(seed, 13), &knobs, tasks.get_mut(..of_clients).unwrap_or_default());
    submissions::unique(&mut Rng::fork(seed, 14), of_clients, &mut elements);
    retries(&mut Rng::fork(seed, 15), tasks.get(..of_clients).unwrap_or_default(), &mut elements);
    crowd::priorities(
        &mut Rng::fork(seed, 16),
        fault_free && !is_single && !long,
        &mut knobs,
        &mut tasks,
        &mut elements,
    );
    if !fault_free {
        operators(&mut Rng::fork(seed, 18), &mut elements);
        pauses(&mut Rng::fork(seed, 19), &mut elements);
    }
    let mut of_events = Rng::fork(seed, 41);
    let submitted = tasks.get_mut(..of_clients).unwrap_or_default();
    receiver::receivers(&mut of_events, fault_free, &mut knobs, submitted, &mut elements);
    // Tasks of schedules would be in the way of those that a crowd consists of.
    if !long && tasks.len() < 40 {
        schedules::plans(&mut Rng::fork(seed, 51), &mut elements);
        knobs.schedules = elements.iter().any(|element| matches!(element, Element::Schedule { .. }));
    }
    receiver::sink(&mut Rng::fork(seed, 42), fault_free, &mut knobs, &mut elements);
    if fault_free && !is_single && !long {
        let submitted = tasks.get_mut(..of_clients).unwrap_or_default();
        duplicates::duplicates(&mut Rng::fork(seed, 64), &mut knobs, submitted, &mut elements);
    }
    clocks(&mut Rng::fork(seed, 7), &knobs, fault_free, &mut elements);
    if is_single {
        outage::of_one(&mut single, &mut knobs, &mut elements);
    } else if !fault_free {
        outage::rare(&mut single, &mut knobs, &mut tasks, &mut elements);
        unreliable::periods(&mut Rng::fork(seed, 61), &mut elements);
        lost_queue::losses(&mut Rng::fork(seed, 63), &mut elements);
        if !long {
            update::rolling(&mut Rng::fork(seed, 65), &knobs, &mut elements);
        }
    }
    Scenario { seed, knobs, tasks, elements }
}

fn knobs(rng: &mut Rng) -> Knobs {
    let visibility = rng.one_of(30, &[2, 5, 10, 60]);
    Knobs {
        visibility,
        max_dequeue_count: u32::try_from(rng.one_of(5, &[1, 2, 3, 5])).unwrap_or(5),
        max_concurrency: usize::try_from(rng.one_of(32, &[1, 2, 4])).unwrap_or(32),
        drain_seconds: rng.one_of(20, &[1, 5]),
        // A few renewals test as much as a hundred.
        task_timeout: (visibility * rng.one_of(3, &[2, 6])).max(8),
        retry_base: rng.one_of(2, &[1, 5]),
        retry_cap: rng.one_of(30, &[5, 300]),
        sweep_interval: rng.one_of(300, &[30, 60]),
        retention_days: rng.one_of(30, &[1]),
        queue_depth_limit: if rng.chance(5) { rng.between(1, 4) } else { 0 },
        apis: usize::try_from(rng.one_of(1, &[1, 2])).unwrap_or(1),
        workers: usize::try_from(rng.one_of(1, &[1, 1, 2, 2, 3])).unwrap_or(1),
        parallel: 1,
        storage_skew_ms: if rng.chance(30) { signed(rng, 120_000) } else { 0 },
        instance_skew_ms: rng.one_of(0, &[0, 500, 60_000]),
        latency_ms: rng.one_of(5, &[20, 100]),
        credential: rng.one_of(
            Credential::SharedKey,
            &[
                Credential::SharedKey,
                Credential::SharedKey,
                Credential::SharedKey,
                Credential::KeyVault,
                Credential::Keyless,
            ],
        ),
        storage_exists: rng.chance(60),
        fresh_percent: rng.one_of(0, &[10, 50, 100]),
        scripted_concurrency: usize::try_from(rng.one_of(0, &[1, 2, 3])).unwrap_or(0),
        isolated: rng.chance(50),
        priority_queues: false,
        events: false,
        schedules: false,
        sink: Vec::new(),
    }
}

fn signed(rng: &mut Rng, most: u64) -> i64 {
    let size = i64::try_from(rng.between(0, most)).unwrap_or(0);
    if rng.chance(50) { -size } else { size }
}

fn task(rng: &mut Rng, knobs: &Knobs, fault_free: bool) -> Task {
    let scripted = rng.chance(85);
    let mut steps: Vec<Step> = (0..rng.between(1, 3)).map(|_| step(rng, knobs)).collect();
    if fault_free && rng.chance(40) {
        // Long enough to need its lease renewed.
        steps.insert(0, Step::Slow(rng.between(knobs.visibility, knobs.visibility * 2)));
    }
    Task {
        id: garbage::guid(rng),
        steps,
        name: if scripted { "scripted" } else { "task" },
        padding: match rng.below(150) {
            0 => 70_000,
            1 => 64_900,
            2..10 => 2_000,
            _ => 0,
        },
        strange: rng.chance(4),
        delay: if rng.chance(12) { rng.one_of(3, &[40, 600, 604_800]) } else { 0 },
        priority: u8::try_from(rng.below(3)).unwrap_or(1),
        expires: 0,
        max_attempts: 0,
        calls: Vec::new(),
    }
}

/// Leaves tasks hours, and a free slot beside one of them. Leases are longer for it: a few dozen renewals test as
/// much as hundreds.
fn patient(knobs: &mut Knobs) {
    knobs.visibility = 600;
    knobs.task_timeout = 10_800;
    (knobs.workers, knobs.max_concurrency) = (1, knobs.max_concurrency.max(2));
}

/// The first task takes hours, the others do not, and one comes while it runs; another some time later.
fn hours(rng: &mut Rng, tasks: &mut Vec<Task>, elements: &mut Vec<Element>) {
    for task in &mut *tasks {
        for step in &mut task.steps {
            if matches!(step, Step::Hang | Step::Slow(_)) {
                *step = Step::Slow(rng.between(1, 5));
            }
        }
    }
    if let Some(first) = tasks.first_mut() {
        first.steps = vec![Step::Slow(rng.between(3_600, 7_200))];
        (first.name, first.delay) = ("scripted", 0);
    }
    for delay in [0, rng.between(360, 1_800)] {
        let (id, priority) = (garbage::guid(rng), 1);
        let steps = vec![Step::Complete];
        let (expires, max_attempts) = (0, 0);
        let (name, padding, strange) = ("scripted", 0, false);
        let calls = Vec::new();
        tasks.push(Task { id, steps, name, padding, strange, delay, priority, expires, max_attempts, calls });
        elements.push(Element::plain_submission(Duration::from_secs(rng.between(60, 230)), tasks.len() - 1));
    }
}

fn step(rng: &mut Rng, knobs: &Knobs) -> Step {
    match rng.below(100) {
        0..40 => Step::Complete,
        40..46 => Step::CompleteBytes(usize::try_from(rng.one_of(10, &[0, 40_000, 200_000])).unwrap_or(0)),
        46..52 => Step::Progress,
        52..60 => Step::Slow(rng.between(1, 5)),
        60..68 => Step::Slow(rng.between(1, knobs.visibility * 3)),
        68..70 => Step::Slow(knobs.task_timeout + rng.between(0, 30)),
        70..77 => Step::Fail,
        77..86 => Step::Retry,
        86..90 => Step::Throttle(rng.one_of(0, &[1, 30, 3_600])),
        90..94 => Step::Trap,
        94..97 => Step::Hang,
        _ => Step::Reset,
    }
}

fn clients(rng: &mut Rng, task: Index, elements: &mut Vec<Element>) {
    let at = moment(rng);
    let identity =
        rng.one_of(Identity::TaskId, &[Identity::TaskId, Identity::TaskId, Identity::Key, Identity::None]);
    let route = rng.one_of(Route::Tasks, &[Route::Tasks, Route::QueueTask]);
    let tries = u32::try_from(rng.one_of(4, &[1, 2, 8])).unwrap_or(1);
    let (polls, deaf) = (rng.chance(20), rng.chance(10));
    elements.push(Element::Submit { at, task, identity, variant: 0, route, tries, polls, deaf });
    // The same again, at the same time, a little later, or when it has long ended; sometimes other content.
    let more = if rng.chance(30) { rng.between(1, 3) } else { 0 };
    for _ in 0..more {
        let later = rng.one_of(0, &[0, 30, 1_000, 60_000]);
        let at = at + Duration::from_millis(rng.between(0, later));
        let variant = u8::from(rng.chance(25));
        elements.push(Element::Submit {
            at,
            task,
            identity,
            variant,
            route,
            tries: 2,
            polls: false,
            deaf: false,
        });
    }
    let asks = if rng.chance(30) { rng.between(1, 2) } else { 0 };
    for _ in 0..asks {
        let later = rng.one_of(200, &[50, 3_000, 60_000, 200_000]);
        let at = at + Duration::from_millis(rng.between(0, later));
        let ask = rng.one_of(
            Ask::Cancel,
            &[
                Ask::Cancel,
                Ask::Cancel,
                Ask::Retry,
                Ask::Retry,
                Ask::Delete,
                Ask::Get,
                Ask::Result,
                Ask::List,
            ],
        );
        elements.push(Element::Ask { at, task, ask });
    }
}

/// Explicit retries of tasks whose first attempt fails: of all tasks, few have failed when a client asks for a retry.
fn retries(rng: &mut Rng, tasks: &[Task], elements: &mut Vec<Element>) {
    for (index, task) in tasks.iter().enumerate() {
        let fails = matches!(task.steps.first(), Some(Step::Fail));
        let submitted = elements.iter().find_map(|element| match element {
            Element::Submit { at, task, .. } if *task == index => Some(*at),
            _ => None,
        });
        if let (true, Some(submitted)) = (fails, submitted)
            && rng.chance(30)
        {
            let at = submitted + Duration::from_secs(rng.one_of(5, &[20, 60, 100]));
            elements.push(Element::Ask { at: at.min(FAULT_PERIOD), task: index, ask: Ask::Retry });
        }
    }
}

fn foreign(rng: &mut Rng, tasks: usize, elements: &mut Vec<Element>) {
    for _ in 0..rng.between(1, 2) {
        let at = moment(rng);
        let task = rng.index(tasks);
        let what = match rng.below(10) {
            0..4 => Foreign::Garbage(garbage::message(rng)),
            4..6 => Foreign::SecondMessage(task),
            6..8 => Foreign::DotNet {
                id: garbage::guid(rng),
                status: u8::try_from(rng.below(5)).unwrap_or(0),
                document: rng.chance(75),
            },
            8 => Foreign::Unusable(task),
            _ => Foreign::UnreadableDocument { id: garbage::guid(rng), content: garbage::document(rng) },
        };
        elements.push(Element::Foreign { at, what });
    }
}

fn trouble(rng: &mut Rng, knobs: &Knobs, elements: &mut Vec<Element>) {
    let most = rng.one_of(6, &[2, 6, 15]);
    for _ in 0..rng.between(0, most) {
        let op = if rng.chance(8) { Op::Handler } else { rng.one_of(Op::PutStatus, &Op::TARGETS) };
        let nth = u32::try_from(rng.one_of(0, &[0, 1, 2, 3, 5, 8])).unwrap_or(0);
        let lists = matches!(op, Op::GetMessages | Op::ListBlobs);
        let fault = if lists && rng.chance(40) { Fault::Reordered } else { fault::any(rng, knobs) };
        elements.push(Element::Fault { op, nth, fault });
    }
    if rng.chance(15) {
        let part = rng.one_of(Part::Blobs, &[Part::Queues, Part::Credentials, Part::Everything]);
        let status = rng.one_of(503, &[500, 429, 0, 401]);
        let lasts = Duration::from_secs(rng.one_of(5, &[1, 40, 100]));
        elements.push(Element::Outage { at: moment(rng), lasts, part, status });
    }
    if rng.chance(20) {
        elements.push(Element::KillWorker { at: moment(rng), worker: rng.index(knobs.workers) });
    }
    if rng.chance(8) {
        elements.push(Element::KillApi { at: moment(rng), api: rng.index(knobs.apis) });
    }
    if rng.chance(12) {
        let grace = Duration::from_millis(rng.one_of(0, &[100, 5_000, 60_000]));
        elements.push(Element::StopWorker { at: moment(rng), worker: rng.index(knobs.workers), grace });
    }
    if rng.chance(25) {
        elements.push(Element::LeasesEnd { at: moment(rng) });
    }
    if rng.chance(3) {
        elements.push(Element::Rotate { at: moment(rng) });
    }
    if rng.chance(2) {
        elements.push(Element::QueueLost { at: moment(rng), queue: QueueKind::Tasks });
    }
}

/// Turns submissions into batches, and adds actions on all tasks. A generator of its own leaves everything else as it
/// was.
fn bulk(rng: &mut Rng, fault_free: bool, elements: &mut Vec<Element>) {
    let tasks: Vec<Index> = elements
        .iter()
        .filter_map(|element| match element {
            Element::Submit { task, .. } => Some(*task),
            _ => None,
        })
        .collect();
    for task in tasks {
        if !rng.chance(8) {
            continue;
        }
        for element in &mut *elements {
            // All submissions of a task: with an idempotency key, its place in a batch is part of its identity.
            match element {
                Element::Submit { task: submitted, route, .. } if *submitted == task => *route = Route::Batch,
                _ => {}
            }
        }
    }
    if !fault_free && rng.chance(6) {
        let ask = rng.one_of(Ask::CancelAll, &[Ask::RetryAll, Ask::DeleteAll]);
        elements.push(Element::Ask { at: moment(rng), task: 0, ask });
    }
}

/// An operator pauses the queue, longer than a request may still be repeated after that.
fn pauses(rng: &mut Rng, elements: &mut Vec<Element>) {
    if rng.chance(6) {
        let lasts = Duration::from_secs(rng.one_of(90, &[10, 60, 180]));
        elements.push(Element::Pause { at: moment(rng), lasts });
    }
}

/// An operator replays what is in the poison queue by then, mostly when there is something, or removes it.
fn operators(rng: &mut Rng, elements: &mut Vec<Element>) {
    if !rng.chance(20) {
        return;
    }
    for _ in 0..rng.between(1, 3) {
        let at = Duration::from_secs(rng.between(5, FAULT_PERIOD.as_secs()));
        let ask = if rng.chance(85) { Ask::ReplayPoison } else { Ask::RemovePoison };
        elements.push(Element::Ask { at, task: 0, ask });
    }
}

/// Clocks that are set, forwards and back: by hours in a run with faults; in one without by no more than the service
/// tolerates, and then it must have no effect.
fn clocks(rng: &mut Rng, knobs: &Knobs, fault_free: bool, elements: &mut Vec<Element>) {
    if !rng.chance(if fault_free { 90 } else { 50 }) {
        return;
    }
    let tolerated = TOLERATED_SKEW_MS.saturating_sub(knobs.skew_ms()) / 2_000;
    for _ in 0..rng.between(4, 12) {
        // Again and again, so that some of it happens while something waits.
        let at = Duration::from_millis(rng.below(100_000));
        let most = if fault_free { tolerated } else { rng.one_of(20, &[20, 600, 14_400]) };
        let ahead = signed(rng, most);
        elements.push(Element::ClockSet { at, workers: rng.chance(75), ahead });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_scenario() {
        assert_eq!(scenario(7), scenario(7));
        assert_ne!(scenario(7), scenario(8));
    }

    #[test]
    fn thousand_seeds_use_every_kind_of_element_and_fault() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..1_000 {
            for element in scenario(seed).elements {
                let text = match &element {
                    Element::Fault { fault, .. } => format!("{fault:?}"),
                    Element::Foreign { what, .. } => format!("{what:?}"),
                    Element::Ask { ask, .. } => format!("{ask:?}"),
                    other => format!("{other:?}"),
                };
                let word: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
                seen.insert(word);
            }
        }
        for word in [
            "Submit",
            "Cancel",
            "Retry",
            "Delete",
            "Get",
            "Result",
            "List",
            "CancelAll",
            "RetryAll",
            "DeleteAll",
            "ReplayPoison",
            "RemovePoison",
            "Pause",
            "Schedule",
            "Garbage",
            "SecondMessage",
            "DotNet",
            "Unusable",
            "Deadly",
            "UnreadableDocument",
            "Refused",
            "DoneYetRefused",
            "NoConnection",
            "ResetBefore",
            "ResetAfter",
            "Late",
            "LateResponse",
            "Twice",
            "Reordered",
            "CrashBefore",
            "CrashAfter",
            "Outage",
            "Unreliable",
            "KillWorker",
            "KillApi",
            "StopWorker",
            "Update",
            "LeasesEnd",
            "ClockSet",
            "Rotate",
            "QueueLost",
        ] {
            assert!(seen.contains(word), "no seed below 1000 has {word}");
        }
    }
}
