//! Receivers of events that follow a script, and which tasks have one.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};

use crate::fault_period::moment;
use crate::random::Rng;
use crate::record::events::EventKey;
use crate::scenario::{Ask, Element, Fault, Knobs, Op, Receive, Task};
use crate::world::World;

/// Longer than a call may take.
const NEVER: Duration = Duration::from_secs(90);

/// Gives tasks receivers, and lets some of the calls go wrong. A generator of its own leaves everything else as it was.
pub(crate) fn receivers(
    rng: &mut Rng,
    is_without_faults: bool,
    knobs: &mut Knobs,
    tasks: &mut [Task],
    elements: &mut Vec<Element>,
) {
    for task in tasks {
        if !rng.chance(20) {
            continue;
        }
        knobs.events = true;
        task.calls = (0..rng.between(1, 4)).map(|_| receive(rng)).collect();
    }
    if !knobs.events || is_without_faults {
        return;
    }
    // A task that is cancelled while it waits is ended by the API.
    if rng.chance(30) {
        let submitted = elements.iter().find_map(|element| match element {
            Element::Submit { at, task, .. } => Some((*at, *task)),
            _ => None,
        });
        if let Some((at, task)) = submitted {
            elements.push(Element::Ask {
                at: at + Duration::from_millis(rng.below(400)),
                task,
                ask: Ask::Cancel,
            });
        }
    }
    disturb(rng, knobs, elements);
}

/// Lets all events go to a sink in some of the runs. Without faults it accepts everything, so that starts are counted.
pub(crate) fn sink(rng: &mut Rng, is_without_faults: bool, knobs: &mut Knobs, elements: &mut Vec<Element>) {
    if !rng.chance(20) {
        return;
    }
    knobs.sink = (0..rng.between(1, 4)).map(|_| receive(rng)).collect();
    if is_without_faults {
        return;
    }
    disturb(rng, knobs, elements);
    // A submission puts the event of its acceptance, then its message.
    if rng.chance(60) {
        let fault = rng.one_of(
            Fault::CrashBefore,
            &[
                Fault::CrashBefore,
                Fault::CrashAfter,
                Fault::Refused(403),
                Fault::Late(10_000),
                Fault::ResetAfter,
            ],
        );
        elements.push(Element::Fault {
            op: Op::PutMessage,
            nth: u32::try_from(rng.below(3)).unwrap_or(0),
            fault,
        });
    }
}

/// Lets calls go wrong, and workers crash.
fn disturb(rng: &mut Rng, knobs: &Knobs, elements: &mut Vec<Element>) {
    for _ in 0..rng.below(3) {
        let fault = rng.one_of(
            Fault::CrashAfter,
            &[
                Fault::CrashAfter,
                Fault::CrashBefore,
                Fault::ResetAfter,
                Fault::NoConnection,
                Fault::Late(40_000),
            ],
        );
        elements.push(Element::Fault {
            op: Op::Receiver,
            nth: u32::try_from(rng.below(4)).unwrap_or(0),
            fault,
        });
    }
    if rng.chance(30) {
        elements.push(Element::KillWorker { at: moment(rng), worker: rng.index(knobs.workers) });
    }
}

fn receive(rng: &mut Rng) -> Receive {
    match rng.below(100) {
        0..50 => Receive::Accept,
        50..75 => Receive::Refuse(rng.one_of(503, &[500, 400, 404, 301])),
        75..80 => Receive::Refuse(410),
        80..90 => Receive::Throttle(rng.one_of(5, &[60, 1_800])),
        90..95 => Receive::Hang,
        _ => Receive::Reset,
    }
}

/// What the receiver or the sink responds; `None` when its connection breaks or it never responds.
pub async fn respond(world: &Rc<World>, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let call = if request.uri().host() == Some("sink.test") {
        let nth = world.record.borrow_mut().sink_called(world.exec.now(), &body);
        let call = scripted(&world.knobs().sink, nth);
        if call == Receive::Accept {
            world.record.borrow_mut().sink_accepted(&body);
        }
        call
    } else {
        called(world, request, &body)?
    };
    world.note(|| format!("receiver  {}: {call:?}", body.get("type").unwrap_or(&serde_json::Value::Null)));
    match call {
        Receive::Accept => Some(status(204)),
        Receive::Refuse(code) => Some(status(code)),
        Receive::Throttle(seconds) => {
            let mut response = status(429);
            response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
            Some(response)
        }
        Receive::Hang => {
            world.exec.sleep(NEVER).await;
            None
        }
        Receive::Reset => None,
    }
}

/// What the receiver of a task does.
fn called(world: &Rc<World>, request: &Request<Bytes>, body: &serde_json::Value) -> Option<Receive> {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let slot: Option<usize> = request.uri().path().strip_prefix('/').and_then(|slot| slot.parse().ok());
    let task = slot.and_then(|slot| world.scenario.tasks.get(slot));
    let mut record = world.record.borrow_mut();
    let key = EventKey::of_event(body)?;
    let calls =
        record.receiver_called(world.exec.now(), &key, header("webhook-id"), header("webhook-signature"));
    let call = scripted(task.map(|task| task.calls.as_slice()).unwrap_or_default(), calls);
    if call == Receive::Accept {
        record.event(&key).is_delivered = true;
    }
    Some(call)
}

/// What happens on call number `calls`.
fn scripted(calls_of: &[Receive], calls: u32) -> Receive {
    let nth = usize::try_from(calls).unwrap_or(1).min(calls_of.len()).saturating_sub(1);
    calls_of.get(nth).copied().unwrap_or(Receive::Accept)
}

fn status(code: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
