use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fits_message;

const DELIVERY: &str = "{\"NotedDelivery\":";
const WORKERS: &str = "\"LostWorkers\":";
const BACKED_OFF: &str = "\"BackedOffAttempt\":";

/// The note that workers write into the text of a queue message, as the first members of its JSON object.
///
/// Storage counts deliveries but does not know their outcome. A worker that gives a message back notes that it
/// survived the delivery. A worker that receives a suspicious message notes the delivery first. The note is read and
/// written without parsing the rest of the message, which may be what crashes the workers. The .NET side ignores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeliveryNote {
    /// Dequeue count of the delivery that wrote the note; 0 if there is no note.
    pub delivery: u32,
    /// Number of deliveries that noted their beginning, including that one, since the last one that noted its end.
    pub lost_workers: u32,
    /// Number of the latest attempt for whose back-off the message was hidden; 0 if there is none.
    pub backed_off: u32,
}

impl DeliveryNote {
    /// Returns the note in `text`, received as delivery `dequeue_count`. A note of this delivery or a later one was
    /// copied from another message and does not count.
    #[must_use]
    pub fn of(text: &str, dequeue_count: u32) -> Self {
        let note = json_of(text).map(|(json, _)| split(&json).0).unwrap_or_default();
        if note.delivery < dequeue_count { note } else { Self::default() }
    }

    /// Returns `text` with this note in place of its present one; `None` if it is not a JSON object with members, or
    /// too large with the note.
    #[must_use]
    pub fn written_to(self, text: &str) -> Option<String> {
        let (json, is_base64) = json_of(text)?;
        let (_, members) = split(&json);
        if members.trim_start().starts_with('}') {
            return None;
        }
        let member = |name: &str, value: u32| match value {
            0 => String::new(),
            value => format!("{name}{value},"),
        };
        let workers = member(WORKERS, self.lost_workers);
        let backed_off = member(BACKED_OFF, self.backed_off);
        let noted = format!("{DELIVERY}{},{workers}{backed_off}{members}", self.delivery);
        let noted = if is_base64 { STANDARD.encode(noted) } else { noted };
        fits_message(&noted).then_some(noted)
    }

    /// Returns `text` without its note, as its sender wrote it.
    #[must_use]
    pub fn removed_from(text: &str) -> Cow<'_, str> {
        match json_of(text) {
            Some((json, is_base64)) if split(&json).0 != Self::default() => {
                let json = format!("{{{}", split(&json).1);
                if is_base64 { STANDARD.encode(json) } else { json }.into()
            }
            _ => text.into(),
        }
    }
}

/// Returns the JSON object in `text`, and whether `text` is its Base64. `None` if the note could not be removed again
/// without changing the rest: if there is white space in front of the object, or in the Base64.
fn json_of(text: &str) -> Option<(Cow<'_, str>, bool)> {
    if text.starts_with('{') {
        return Some((text.into(), false));
    }
    let bytes = STANDARD.decode(text).ok()?;
    let is_exact = bytes.starts_with(b"{") && STANDARD.encode(&bytes) == text;
    let json = String::from_utf8(bytes).ok()?;
    is_exact.then(|| (json.into(), true))
}

/// Returns the note at the beginning of a JSON object, and the members after it.
fn split(json: &str) -> (DeliveryNote, &str) {
    let members = json.strip_prefix('{').unwrap_or(json);
    let Some((delivery, rest)) = number_of(json, DELIVERY) else {
        return (DeliveryNote::default(), members);
    };
    let optional = |rest, name| number_of(rest, name).unwrap_or((0, rest));
    let (lost_workers, rest) = optional(rest, WORKERS);
    let (backed_off, rest) = optional(rest, BACKED_OFF);
    (DeliveryNote { delivery, lost_workers, backed_off }, rest)
}

/// Parses a member with this name at the beginning of `text`. Returns its number and the text after the comma.
fn number_of<'a>(text: &'a str, name: &str) -> Option<(u32, &'a str)> {
    let (digits, rest) = text.strip_prefix(name)?.split_once(',')?;
    Some((digits.parse().ok()?, rest))
}
