//! Who may drain: the holder of the drain token.

use azure::Secret;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};

/// Whether a drain may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Granted,
    /// No token is configured, so nobody may.
    Closed,
    /// The token is missing or wrong.
    Refused,
}

pub(crate) fn check(token: &Secret, headers: &HeaderMap) -> Access {
    if token.is_empty() {
        return Access::Closed;
    }
    let presented = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes).and_then(bearer);
    match presented {
        Some(presented) if same(presented, token.expose().as_bytes()) => Access::Granted,
        _ => Access::Refused,
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Compares digests, all of their bytes, so that the time taken tells nothing about the token.
fn same(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.iter().zip(b.iter()).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}
