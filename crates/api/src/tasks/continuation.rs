//! Continuation tokens of the list. They are opaque to clients and contain a checksum. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use models::TaskId;
use sha2::{Digest as _, Sha256};

/// Length of the checksum at the start of a token. It detects damaged tokens and tokens of another list. It is not
/// a signature: a forged position only lists the caller's own tasks from another place.
const CHECKSUM_BYTES: usize = 8;

/// Start of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// Marker of the storage page; `None` for the first one.
    pub(crate) page: Option<String>,
    /// The last task of that page that was read.
    pub(crate) after: Option<TaskId>,
}

/// Encodes a position. `listing` identifies the list: its caller and its filters.
pub(crate) fn token(position: &Position, listing: &str) -> String {
    let after = position.after.map(|id| id.to_string()).unwrap_or_default();
    let text = format!("{after}\n{}", position.page.as_deref().unwrap_or_default());
    let mut bytes = checksum(&text, listing).to_vec();
    bytes.extend_from_slice(text.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes a token; `None` unless [`token`] encoded it for the same `listing`.
pub(crate) fn position(token: &str, listing: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (given, text) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    let text = std::str::from_utf8(text).ok()?;
    if given != checksum(text, listing) {
        return None;
    }
    let (after, page) = text.split_once('\n')?;
    let after = if after.is_empty() { None } else { Some(after.parse().ok()?) };
    Some(Position { page: Some(page.to_owned()).filter(|page| !page.is_empty()), after })
}

fn checksum(text: &str, listing: &str) -> [u8; CHECKSUM_BYTES] {
    let mut digest = Sha256::new();
    digest.update(b"continuation\0");
    digest.update(listing);
    digest.update(b"\0");
    digest.update(text);
    let digest: [u8; 32] = digest.finalize().into();
    let mut checksum = [0; CHECKSUM_BYTES];
    for (byte, from) in checksum.iter_mut().zip(digest) {
        *byte = from;
    }
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_decodes_only_for_its_own_list() {
        let id = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b".parse().unwrap();
        for position_ in [
            Position::default(),
            Position { page: Some("2!92!MDAwMDE2".to_owned()), after: None },
            Position { page: Some("a\nb".to_owned()), after: Some(id) },
        ] {
            let token = token(&position_, "mine");
            assert_eq!(position(&token, "mine"), Some(position_));
            assert_eq!(position(&token, "yours"), None);
        }
    }

    #[test]
    fn changed_token_is_refused() {
        let token = token(&Position { page: Some("marker".to_owned()), after: None }, "");
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(position(std::str::from_utf8(&forged).unwrap(), ""), None);
        }
        for forged in ["", "x", "AAAAAAAAAAA", "../../x", "\u{e4}"] {
            assert_eq!(position(forged, ""), None, "{forged}");
        }
    }
}
