//! The checks at the end of a run.

use std::rc::Rc;

use models::TaskId;

use crate::call::QueueKind;
use crate::promise::Promise;
use crate::record::{Content, Life, Record};
use crate::scenario::{Ask, Element, Foreign, Identity, Step, Task};
use crate::world::World;

/// Checks everything that has to hold once nothing moves any more.
pub fn judge(world: &Rc<World>) {
    let now = world.exec.now();
    let mut record = world.record.borrow_mut();
    if !record.violations.is_empty() {
        // The run was stopped there; nothing has come to its end.
        return;
    }
    let found = findings(&record);
    for (promise, text) in found {
        record.broken(promise, now, text);
    }
    for (promise, text) in [record.lost_events(), record.lost_sink_events(is_fair(world))].concat() {
        record.broken(promise, now, text);
    }
    for text in record.unfired(is_fair(world)) {
        record.broken(Promise::P16, now, text);
    }
    if let Some(text) = leaked(&record) {
        record.broken(Promise::P7, now, text);
    }
    if world.scenario.is_single_outage() {
        for text in against_handlers(&record) {
            record.broken(Promise::P10, now, text);
        }
    }
    if is_fair(world) {
        for (promise, text) in unexpected(world, &record) {
            record.broken(promise, now, text);
        }
    }
}

fn findings(record: &Record) -> Vec<(Promise, String)> {
    let mut found = Vec::new();
    for (id, life) in &record.tasks {
        match &life.content {
            Some(Content::Readable(document)) if !document.is_terminal() && document.created_at.is_some() => {
                let was = if life.accepted.is_empty() { "stored" } else { "accepted" };
                let message = record.messages.values().any(|message| message.task == Some(*id));
                let has = if message { "still has a message" } else { "has no message" };
                found.push((
                    Promise::P2,
                    format!("task {id} was {was}, stays {} and {has}", document.state()),
                ));
            }
            None if !life.deleted && !life.accepted.is_empty() => {
                found.push((Promise::P2, format!("task {id} was accepted and there is no document")));
            }
            _ => {}
        }
        if let Some((name, digest)) = &life.result
            && life.content.is_some()
            && record.attachments.get(name) != Some(digest)
        {
            found.push((
                Promise::P4,
                format!("task {id}: its result is not what it was when it was recorded"),
            ));
        }
    }
    for (id, message) in &record.messages {
        if message.queue != QueueKind::Poison {
            found.push((Promise::P3, format!("message {id} in {:?} was never deleted", message.queue)));
        }
    }
    found
}

/// P10: every accepted task has the end that its handler gave it, or used up its attempts (which P9 watches).
fn against_handlers(record: &Record) -> Vec<String> {
    let mut found = Vec::new();
    for (id, life) in record.tasks.iter().filter(|(_, life)| !life.accepted.is_empty()) {
        let Some(document) = life.document() else {
            found.push(format!("task {id} is gone after an outage"));
            continue;
        };
        let fits = match document.status {
            // The built-in handler is not asked through the network.
            2 => life.handler_completed || life.runs == 0,
            3 => life.handler_failed || document.error_code() == "TooManyDeliveries",
            // An outage may last longer than the task may wait; `limits` judges the time.
            4 => document.error_code() == "Expired",
            _ => false,
        };
        if !fits {
            let (state, code) = (document.state(), document.error_code());
            found.push(format!("task {id} is {state} {code} after an outage, which no handler said"));
        }
    }
    found
}

/// P7: nothing that was logged or stored holds a secret.
fn leaked(record: &Record) -> Option<String> {
    record.logs.iter().find_map(|line| {
        let secret = record.secrets.find(line)?;
        Some(format!("a log line holds {secret:?}: {line}"))
    })
}

/// Whether nothing was done to the run that could change what becomes of its tasks.
fn is_fair(world: &World) -> bool {
    world.scenario.clocks_agree()
        && world.scenario.elements.iter().all(|element| match element {
            Element::Submit { deaf, .. } => !deaf,
            Element::Ask { ask, .. } => matches!(ask, Ask::Get | Ask::Result | Ask::List),
            // A second message waits for the attempt of the first.
            Element::Schedule { .. }
            | Element::ClockSet { .. }
            | Element::Foreign { what: Foreign::SecondMessage(_), .. } => true,
            _ => false,
        })
}

/// P4 and P2 in runs without faults: every task that was submitted once ran as often as its script asks for, and
/// ended as the script says.
fn unexpected(world: &World, record: &Record) -> Vec<(Promise, String)> {
    let mut found = Vec::new();
    for (index, task) in world.scenario.tasks.iter().enumerate() {
        let submitted = world
            .scenario
            .elements
            .iter()
            .filter(|element| matches!(element, Element::Submit { task, .. } if *task == index))
            .count();
        let named = world.scenario.elements.iter().any(
            |element| matches!(element, Element::Submit { task, identity: Identity::TaskId, .. } if *task == index),
        );
        let id: Option<TaskId> = task.id.parse().ok();
        let Some(life) = id.and_then(|id| record.tasks.get(&id)) else { continue };
        let scripted = task.name == "scripted" && task.expires == 0;
        if submitted == 1 && named && !life.accepted.is_empty() && scripted {
            found.extend(against_script(world, task, life));
        }
    }
    found
}

fn against_script(world: &World, task: &Task, life: &Life) -> Option<(Promise, String)> {
    let knobs = world.knobs();
    let (mut runs, mut counted, mut uncounted) = (0, 0, 0);
    let mut expected = 3;
    let own = if task.max_attempts == 0 { u32::MAX } else { task.max_attempts };
    let most = knobs.max_dequeue_count.min(own);
    while counted < most {
        let nth = usize::try_from(runs).unwrap_or(0).min(task.steps.len().saturating_sub(1));
        runs += 1;
        // The end of a process of handlers may be the fault of another task. It counts once it has happened so often.
        if knobs.isolated && task.steps.get(nth) == Some(&Step::Reset) && uncounted < most {
            uncounted += 1;
            continue;
        }
        counted += 1;
        match task.steps.get(nth)? {
            Step::Complete | Step::CompleteBytes(_) | Step::Progress => expected = 2,
            Step::Slow(seconds) if *seconds + 3 < knobs.task_timeout => expected = 2,
            // Too close to the limit to say.
            Step::Slow(seconds) if *seconds < knobs.task_timeout + 3 => return None,
            Step::Fail => {}
            _ => continue,
        }
        break;
    }
    let state = life.document()?.status;
    if life.runs > runs && life.runs > most {
        let text = format!("task {} ran {} times, {most} attempts are allowed", task.id, life.runs);
        return Some((Promise::P8, text));
    }
    if life.runs != runs {
        return Some((Promise::P4, format!("task {} ran {} times instead of {runs}", task.id, life.runs)));
    }
    (state != expected).then(|| {
        let text = format!("task {} ended as {} although its script ends as {expected}", task.id, state);
        (Promise::P2, text)
    })
}
