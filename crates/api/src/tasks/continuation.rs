//! Continuation tokens of the list: opaque to clients, recognised when they were made up. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use models::TaskId;
use sha2::{Digest as _, Sha256};

/// Bytes of the check at the front of a token. It finds mistakes and made-up tokens; it is no secret,
/// because a forged position only shows the caller his own tasks from somewhere else.
const CHECK: usize = 8;

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// Storage's own mark of the page; `None` is the first.
    pub(crate) page: Option<String>,
    /// The last task of that page that was looked at.
    pub(crate) after: Option<TaskId>,
}

/// The token for a position of the listing that `listing` describes: its caller and filters.
pub(crate) fn token(position: &Position, listing: &str) -> String {
    let after = position.after.map(|id| id.to_string()).unwrap_or_default();
    let text = format!("{after}\n{}", position.page.as_deref().unwrap_or_default());
    let mut bytes = check(&text, listing).to_vec();
    bytes.extend_from_slice(text.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position; `None` for a token that was not made by [`token`] for the same listing.
pub(crate) fn position(token: &str, listing: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (given, text) = bytes.split_at_checked(CHECK)?;
    let text = std::str::from_utf8(text).ok()?;
    if given != check(text, listing) {
        return None;
    }
    let (after, page) = text.split_once('\n')?;
    let after = if after.is_empty() { None } else { Some(after.parse().ok()?) };
    Some(Position { page: Some(page.to_owned()).filter(|page| !page.is_empty()), after })
}

fn check(text: &str, listing: &str) -> [u8; CHECK] {
    let mut digest = Sha256::new();
    digest.update(b"continuation\0");
    digest.update(listing);
    digest.update(b"\0");
    digest.update(text);
    let digest: [u8; 32] = digest.finalize().into();
    let mut check = [0; CHECK];
    for (byte, from) in check.iter_mut().zip(digest) {
        *byte = from;
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_position_and_only_in_its_own_listing() {
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
    fn a_token_with_any_character_changed_is_refused() {
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
