use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{HandlerOutcome, Payload, Work, text_input};

#[derive(Serialize)]
struct Checksum {
    bytes: usize,
    sha256: String,
}

/// `checksum`: the SHA-256 of the text in `Input`, taken as UTF-8.
pub(super) fn run(work: &Work) -> HandlerOutcome {
    let text = match text_input(work) {
        Ok(text) => text,
        Err(failed) => return failed,
    };
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    HandlerOutcome::Completed(Some(Payload::json(&Checksum { bytes: text.len(), sha256: hex })))
}
