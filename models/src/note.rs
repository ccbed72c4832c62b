use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fits_message;

const DELIVERY: &str = "{\"NotedDelivery\":";
const WORKERS: &str = "\"LostWorkers\":";
const BACKED_OFF: &str = "\"BackedOffAttempt\":";

/// What earlier deliveries of a queue message noted in its text, as first members of its JSON object.
///
/// Storage counts deliveries and does not know what became of them. A worker that gives a message back
/// notes that it survived; one that takes a suspicious message notes that it has begun. It is read and
/// written without parsing the rest, which may be what ends the workers. The .NET reader ignores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeliveryNote {
    /// The delivery that left the note, by its dequeue count; 0 when there is none.
    pub delivery: u32,
    /// Deliveries that noted their beginning, that one included, since the last that noted its end.
    pub lost_workers: u32,
    /// The latest attempt for whose whole back-off the message was hidden, by its number; 0 when there is none.
    pub backed_off: u32,
}

impl DeliveryNote {
    /// The note in `text`, received as delivery `dequeue_count`. A note of this delivery or a later one was
    /// copied from another message and is none.
    #[must_use]
    pub fn of(text: &str, dequeue_count: u32) -> Self {
        let note = json_of(text).map(|(json, _)| split(&json).0).unwrap_or_default();
        if note.delivery < dequeue_count { note } else { Self::default() }
    }

    /// `text` with this note instead of the one it has. `None` when it is not a JSON object with members,
    /// or has no room for a note.
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

    /// `text` as its sender wrote it.
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

/// The JSON object that `text` is, or is the Base64 of. Nothing where a note could not be taken out again
/// without a change to the rest: with white space in front of it, or in the Base64.
fn json_of(text: &str) -> Option<(Cow<'_, str>, bool)> {
    if text.starts_with('{') {
        return Some((text.into(), false));
    }
    let bytes = STANDARD.decode(text).ok()?;
    let is_exact = bytes.starts_with(b"{") && STANDARD.encode(&bytes) == text;
    let json = String::from_utf8(bytes).ok()?;
    is_exact.then(|| (json.into(), true))
}

/// The note at the beginning of a JSON object, and the members behind it.
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

/// The number of a member with this name at the beginning of `text`, and what follows the comma behind it.
fn number_of<'a>(text: &'a str, name: &str) -> Option<(u32, &'a str)> {
    let (digits, rest) = text.strip_prefix(name)?.split_once(',')?;
    Some((digits.parse().ok()?, rest))
}
