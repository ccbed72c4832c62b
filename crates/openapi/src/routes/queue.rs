//! The queue: lengths, pause and resume.

use service::problem::ProblemKind;
use utoipa::openapi::path::HttpMethod;

use super::{Route, STORAGE};
use crate::responses::json;

fn route(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Route {
    Route::new(method, path, id, "queue", summary)
        .authenticated()
        .problems(&STORAGE)
        .problems(&[ProblemKind::InvalidParameter])
        .response("200", json("The state of the queue.", "QueueState"))
}

pub(super) fn get() -> Route {
    route(HttpMethod::Get, "/queue", "getQueue", "Get queue lengths, and whether the queue is paused")
}

pub(super) fn pause() -> Route {
    action("/queue:pause", "pauseQueue", "Pause the queue")
        .describe("Workers finish the running tasks and receive no messages, within about 5 seconds.")
}

pub(super) fn resume() -> Route {
    action("/queue:resume", "resumeQueue", "Resume the queue")
}

fn action(path: &'static str, id: &str, summary: &str) -> Route {
    route(HttpMethod::Post, path, id, summary)
        .problems(&[ProblemKind::OperatorsOnly, ProblemKind::PauseDisabled])
}
