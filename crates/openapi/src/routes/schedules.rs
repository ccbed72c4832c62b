//! Schedules: tasks that are due again and again.

use service::problem::ProblemKind;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::path::HttpMethod;

use super::{Route, STORAGE, json_body};
use crate::responses::{bare, json, with_headers};

fn route(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Route {
    let route =
        Route::new(method, path, id, "schedules", summary).authenticated().problems(&STORAGE).problems(&[
            ProblemKind::OperatorsOnly,
            ProblemKind::InvalidParameter,
            ProblemKind::SchedulesDisabled,
            ProblemKind::DocumentUnreadable,
            ProblemKind::DocumentBlocked,
        ]);
    if path.contains("{name}") { route.parameters(&["ScheduleName"]) } else { route }
}

/// A route for a schedule that exists.
fn of_one(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Route {
    route(method, path, id, summary).problems(&[ProblemKind::NotFound, ProblemKind::ScheduleNotFound])
}

/// Adds what a conditional change can be refused for.
fn changing(route: Route) -> Route {
    route.parameters(&["IfMatch"]).problems(&[ProblemKind::PreconditionFailed, ProblemKind::Contended])
}

fn one(text: &str) -> ResponseBuilder {
    with_headers(json(text, "ScheduleView"), &["ETag"])
}

pub(super) fn list() -> Route {
    route(HttpMethod::Get, "/schedules", "listSchedules", "List schedules")
        .describe("All schedules, by name; at most 100 are stored.")
        .response("200", json("The schedules.", "ScheduleList"))
}

pub(super) fn get() -> Route {
    of_one(HttpMethod::Get, "/schedules/{name}", "getSchedule", "Get a schedule")
        .describe("With the next five instants at which it is due.")
        .parameters(&["IfMatch"])
        .problems(&[ProblemKind::PreconditionFailed])
        .response("200", one("The schedule."))
}

pub(super) fn put() -> Route {
    let text = "Stores the schedule; a worker creates a task of it at each instant at which it is due. A paused one stays paused. The \
                task is validated as a submission is.";
    let route =
        changing(route(HttpMethod::Put, "/schedules/{name}", "putSchedule", "Create or change a schedule"));
    let mut route = route.describe(text).parameters(&["CreateOnly"]).problems(&[
        ProblemKind::InvalidBody,
        ProblemKind::InvalidHeader,
        ProblemKind::InvalidName,
        ProblemKind::BodyTimeout,
        ProblemKind::TooManySchedules,
        ProblemKind::BodyTooLarge,
        ProblemKind::UnsupportedMediaType,
    ]);
    route.operation = route.operation.request_body(Some(json_body("ScheduleRequest")));
    route.response("200", one("The schedule is changed.")).response("201", one("The schedule is created."))
}

pub(super) fn delete() -> Route {
    let route = of_one(HttpMethod::Delete, "/schedules/{name}", "deleteSchedule", "Delete a schedule");
    changing(route).describe("Its tasks stay.").response("204", bare("The schedule is deleted."))
}

pub(super) fn pause() -> Route {
    action("/schedules/{name}:pause", "pauseSchedule", "Pause a schedule")
        .describe("It creates no tasks until it is resumed.")
        .response("200", one("The schedule is paused."))
}

pub(super) fn resume() -> Route {
    action("/schedules/{name}:resume", "resumeSchedule", "Resume a schedule")
        .describe("Firings that were missed during the pause take place as `Missed` says.")
        .response("200", one("The schedule is active, or has ended."))
}

fn action(path: &'static str, id: &str, summary: &str) -> Route {
    changing(of_one(HttpMethod::Post, path, id, summary))
}

pub(super) fn run() -> Route {
    let headers = ["Location", "Operation-Location", "Retry-After", "ETag", "Preference-Applied"];
    of_one(HttpMethod::Post, "/schedules/{name}:run", "runSchedule", "Run the task of a schedule now")
        .describe(
            "Submits the task of the schedule as `POST /tasks` does, whether it is paused or not. The task belongs to the caller. \
             The firings of the schedule do not change.",
        )
        .parameters(&["IdempotencyKey", "Prefer", "TraceParent"])
        .problems(&[
            ProblemKind::InvalidBody,
            ProblemKind::InvalidHeader,
            ProblemKind::TaskIdTaken,
            ProblemKind::ContentDiffers,
            ProblemKind::Overloaded,
            ProblemKind::Contended,
        ])
        .response("202", with_headers(json("The task is accepted.", "Monitor"), &headers))
}
