use serde_json::json;

use super::{HandlerOutcome, Payload, Work, text_input};

/// `text-statistics`: lines, words and characters of the text in `Input`.
pub(super) fn run(work: &Work) -> HandlerOutcome {
    match text_input(work) {
        Ok(text) => HandlerOutcome::Completed(Some(Payload::json(&json!({
            "lines": text.lines().count(),
            "words": text.split_whitespace().count(),
            "characters": text.chars().count(),
        })))),
        Err(failed) => failed,
    }
}
