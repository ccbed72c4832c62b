//! Task handlers that follow a script, in place of a handler component.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use http::{HeaderValue, Request, Response, StatusCode};
use models::TaskId;
use serde_json::{Value, json};

use crate::promise::Promise;
use crate::scenario::Step;
use crate::world::World;

/// No task is started so often, whatever goes wrong: retries are bounded.
const MAX_RUNS: u32 = 40;

/// What the handler responds; `None` when its connection breaks or it never responds.
pub async fn respond(
    world: &Rc<World>,
    request: &Request<Bytes>,
    responder: &oneshot::Sender<Response<Bytes>>,
) -> Option<Response<Bytes>> {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let member = |names: [&str; 2]| names.iter().find_map(|name| body.get(name)).cloned().unwrap_or_default();
    let id: Option<TaskId> = member(["TaskId", "id"]).as_str().and_then(|id| id.parse().ok());
    let slot = member(["Input", "input"]).get("slot").and_then(Value::as_u64).unwrap_or(0);
    let run = {
        let mut record = world.record.borrow_mut();
        let Some(id) = id else {
            record.broken(Promise::P8, world.exec.now(), "a handler was called without a task id".to_owned());
            return Some(status(422));
        };
        let life = record.life(id);
        life.runs += 1;
        let run = life.runs;
        check_start(&mut record, world, id);
        run
    };
    let id = id?;
    let task = usize::try_from(slot).ok().and_then(|slot| world.scenario.tasks.get(slot));
    let steps = task.map(|task| task.steps.as_slice()).unwrap_or_default();
    let nth = usize::try_from(run).unwrap_or(1).min(steps.len()).saturating_sub(1);
    let step = steps.get(nth).copied().unwrap_or(Step::Complete);
    world.note(|| format!("handler   task {id} run {run}: {step:?}"));
    let response = follow(world, step, id, run, responder).await?;
    let mut record = world.record.borrow_mut();
    let life = record.life(id);
    life.handler_completed |= response.status() == 200;
    life.handler_failed |= response.status() == 422;
    Some(response)
}

async fn follow(
    world: &Rc<World>,
    step: Step,
    id: TaskId,
    run: u32,
    responder: &oneshot::Sender<Response<Bytes>>,
) -> Option<Response<Bytes>> {
    let result = || json!({ "task": id.to_string(), "run": run });
    match step {
        Step::Complete => Some(json_response(&result())),
        Step::CompleteBytes(size) => {
            let mut bytes = format!("{id} run {run} ").into_bytes();
            bytes.resize(size, b'.');
            Some(typed("text/plain", bytes.into()))
        }
        Step::Progress => {
            let lines =
                [json!({ "percentComplete": 40, "message": "under way" }), json!({ "result": result() })];
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            Some(typed("application/x-ndjson", text.into()))
        }
        Step::Slow(seconds) => {
            work(world, Duration::from_secs(seconds), responder).await?;
            Some(json_response(&result()))
        }
        Step::Fail => Some(typed_status(422, "text/plain", "the work cannot be done".into())),
        Step::Retry => Some(status(503)),
        Step::Throttle(seconds) => {
            let mut response = status(429);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert("retry-after", value);
            }
            Some(response)
        }
        Step::Trap => Some(status(500)),
        Step::Hang => {
            // Longer than any attempt may take.
            work(world, Duration::from_secs(world.knobs().task_timeout * 4 + 3_600), responder).await?;
            None
        }
        Step::Reset => None,
    }
}

/// Works for `duration`, unless the worker stops listening.
async fn work(
    world: &Rc<World>,
    duration: Duration,
    responder: &oneshot::Sender<Response<Bytes>>,
) -> Option<()> {
    let step = Duration::from_secs(1).max(duration / 8);
    let end = world.exec.now() + duration;
    while world.exec.now() < end {
        if responder.is_canceled() {
            return None;
        }
        world.exec.sleep(step.min(end - world.exec.now())).await;
    }
    Some(())
}

fn check_start(record: &mut crate::record::Record, world: &World, id: TaskId) {
    let now = world.exec.now();
    let skew = Duration::from_millis(world.knobs().skew_ms() + 2 * world.scenario.clock_steps_ms());
    let Some(document) = record.life(id).document().cloned() else { return };
    if record.life(id).runs > MAX_RUNS {
        let what = format!("task {id} has been started more than {MAX_RUNS} times");
        record.broken(Promise::P8, now, what);
    }
    if document.is_terminal() && document.created_at.is_some() {
        record.count("handler ran for a task that had ended");
    }
    let not_before = document.not_before.as_deref().and_then(|text| text.parse::<models::Timestamp>().ok());
    if let Some(not_before) = not_before {
        let true_now = models::Timestamp::from(world.wall_clock(crate::world::EXTERNAL_WRITER));
        if true_now.plus(skew) < not_before {
            let what = format!("task {id} was started {:?} too early", not_before.since(true_now));
            record.broken(Promise::P8, now, what);
        }
    }
}

fn json_response(value: &Value) -> Response<Bytes> {
    typed("application/json", value.to_string().into())
}

fn typed(media_type: &'static str, body: Bytes) -> Response<Bytes> {
    typed_status(200, media_type, body)
}

fn typed_status(code: u16, media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", HeaderValue::from_static(media_type));
    response
}

fn status(code: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
