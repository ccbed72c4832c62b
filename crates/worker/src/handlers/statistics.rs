use serde::Serialize;

use super::{HandlerOutcome, Payload, Work, text_input};

#[derive(Serialize)]
struct Statistics {
    characters: usize,
    lines: usize,
    words: usize,
}

/// `text-statistics`: lines, words and characters of the text in `Input`.
pub(super) fn run(work: &Work) -> HandlerOutcome {
    match text_input(work) {
        Ok(text) => HandlerOutcome::Completed(Some(Payload::json(&Statistics {
            characters: text.chars().count(),
            lines: text.lines().count(),
            words: text.split_whitespace().count(),
        }))),
        Err(failed) => failed,
    }
}
