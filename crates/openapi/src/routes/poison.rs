//! The poison queue.

use service::problem::ProblemKind;
use utoipa::openapi::path::HttpMethod;

use super::{Route, STORAGE};
use crate::responses::{bare, json, with_headers};

fn of_operators(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Route {
    let route = Route::new(method, path, id, "poison", summary)
        .authenticated()
        .problems(&STORAGE)
        .problems(&[ProblemKind::OperatorsOnly, ProblemKind::InvalidParameter]);
    if path.contains("{id}") {
        route
            .parameters(&["MessageId"])
            .problems(&[ProblemKind::NotFound, ProblemKind::PoisonMessageNotFound])
    } else {
        route
    }
}

/// Problems of a replay of one message.
const REPLAY: [ProblemKind; 5] = [
    ProblemKind::NotReplayable,
    ProblemKind::DocumentUnreadable,
    ProblemKind::DocumentBlocked,
    ProblemKind::Contended,
    ProblemKind::InvalidHeader,
];

pub(super) fn list() -> Route {
    of_operators(HttpMethod::Get, "/poison", "listPoisonMessages", "List messages that were given up")
        .describe("The first 32 visible messages; Storage Queue does not return more without receiving them.")
        .response("200", json("The messages.", "PoisonList"))
}

pub(super) fn get() -> Route {
    of_operators(HttpMethod::Get, "/poison/{id}", "getPoisonMessage", "Get a message that was given up")
        .describe("With the original. A message behind the first 320 is not found.")
        .response("200", json("The message.", "PoisonMessage"))
}

pub(super) fn replay() -> Route {
    let text =
        "Queues the task again (a failed one as `POST /tasks/{id}/retry` does), then removes the message.";
    of_operators(HttpMethod::Post, "/poison/{id}/replay", "replayPoisonMessage", "Replay a message")
        .describe(text)
        .problems(&REPLAY)
        .response("202", with_headers(bare("The task is queued again."), &["Operation-Location"]))
}

pub(super) fn remove() -> Route {
    of_operators(HttpMethod::Delete, "/poison/{id}", "removePoisonMessage", "Remove a message")
        .response("204", bare("The message is removed."))
}

pub(super) fn replay_all() -> Route {
    action("/poison:replay", "replayPoisonMessages", "Replay messages", "Replays messages that name a task.")
}

pub(super) fn remove_all() -> Route {
    action("/poison:delete", "removePoisonMessages", "Remove messages", "Removes messages.")
}

fn action(path: &'static str, id: &str, summary: &str, text: &str) -> Route {
    let bounds = "A request takes at most `top` messages from the front. Repeat it while `changed` is not 0.";
    of_operators(HttpMethod::Post, path, id, summary)
        .describe(&format!("{text} {bounds}"))
        .parameters(&["TopMessages"])
        .response("200", json("Numbers of messages, and what is left.", "PoisonReport"))
}
