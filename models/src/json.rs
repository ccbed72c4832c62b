use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::node;

/// Most levels of arrays and objects that any [`Json`] has.
pub const MAX_JSON_LEVELS: usize = 127;

/// Most levels of arrays and objects in an `Input`. The .NET side reads the document and the message around
/// it with Newtonsoft.Json, which refuses more than 64 levels, the document's own included.
pub const MAX_INPUT_LEVELS: usize = 63;

/// Most levels of a result inside the document. A page of the list holds it three levels down, and its
/// readers stop at 64 as well.
pub const MAX_RESULT_LEVELS: usize = 61;

/// Longest number, in characters: Newtonsoft.Json reads no longer whole number.
pub const MAX_NUMBER_CHARS: usize = 380;

/// One JSON value, kept as compact text so that numbers of any size and the order of members survive.
///
/// Two values are equal when they hold the same: spelling and the order of members do not count, numbers
/// are compared by value at any size and precision. Of several members of one name the last counts.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

/// Why text is not a [`Json`], or why a [`Json`] cannot be stored where the .NET side reads it. Completes
/// the sentence "it must …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not one JSON value.
    #[error("must be one JSON value")]
    Syntax,
    /// It nests too deeply.
    #[error("must have at most {0} levels of arrays and objects")]
    TooDeep(usize),
    /// A number is too long.
    #[error("must not hold a number of more than {MAX_NUMBER_CHARS} characters")]
    LongNumber,
    /// A string holds half of a surrogate pair.
    #[error(
        "must not hold half of a surrogate pair (\\ud800 to \\udfff without its other half): it stands for no \
         character"
    )]
    LoneSurrogate,
}

impl Json {
    /// Takes JSON text; insignificant white space is dropped.
    ///
    /// # Errors
    /// When the text is not one JSON value, nests deeper than [`MAX_JSON_LEVELS`] or holds half of a
    /// surrogate pair.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        Self::read(text, MAX_JSON_LEVELS, usize::MAX)
    }

    /// As [`Json::parse`], for a value that every reader of documents and messages is to read: with at most
    /// `levels`, and no number of more than [`MAX_NUMBER_CHARS`].
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn parse_portable(text: &str, levels: usize) -> Result<Self, JsonError> {
        Self::read(text, levels.min(MAX_JSON_LEVELS), MAX_NUMBER_CHARS)
    }

    fn read(text: &str, levels: usize, number_chars: usize) -> Result<Self, JsonError> {
        // From bytes, as everywhere: a second copy of serde_json's parser is a twentieth of a component.
        serde_json::from_slice::<&RawValue>(text.as_bytes()).map_err(|_| JsonError::Syntax)?;
        let survey = survey(text);
        if survey.levels > levels {
            return Err(JsonError::TooDeep(levels));
        }
        if survey.longest_number > number_chars {
            return Err(JsonError::LongNumber);
        }
        if survey.lone_surrogate {
            return Err(JsonError::LoneSurrogate);
        }
        RawValue::from_string(compact(text)).map(Self).map_err(|_| JsonError::Syntax)
    }

    /// The compact JSON text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The text of a JSON string; `None` for any other value.
    #[must_use]
    pub fn as_text(&self) -> Option<String> {
        serde_json::from_slice(self.0.get().as_bytes()).ok()
    }

    /// The parsed value, with numbers as far as 64 bits hold them; `null` when one is beyond all range.
    /// To be shown or looked into, never to be compared or stored.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(self.0.get().as_bytes()).unwrap_or(Value::Null)
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        Self(serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get() || node::are_equal(self.get(), other.get())
    }
}

impl std::fmt::Debug for Json {
    /// The size only: inputs and results are the caller's data and do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Json({} bytes)", self.get().len())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

/// What one look over the text of a JSON value finds.
#[derive(Default)]
struct Survey {
    levels: usize,
    longest_number: usize,
    lone_surrogate: bool,
}

/// Whether a string of this JSON text holds half of a surrogate pair.
pub(crate) fn has_lone_surrogate(text: &str) -> bool {
    survey(text).lone_surrogate
}

/// Looks over JSON text in one pass, without recursion. Of other text the outcome means nothing.
fn survey(text: &str) -> Survey {
    let mut found = Survey::default();
    let (mut levels, mut number, mut in_string) = (0usize, 0usize, false);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if in_string {
            match byte {
                b'"' => in_string = false,
                b'\\' if bytes.next() == Some(b'u') => {
                    found.lone_surrogate |= !is_character(&mut bytes);
                }
                _ => {}
            }
            continue;
        }
        number = if matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') { number + 1 } else { 0 };
        found.longest_number = found.longest_number.max(number);
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                levels += 1;
                found.levels = found.levels.max(levels);
            }
            b']' | b'}' => levels = levels.saturating_sub(1),
            _ => {}
        }
    }
    found
}

/// Takes what follows `\u`: whether it is a character, alone or with a second `\u` behind it.
fn is_character(bytes: &mut std::str::Bytes<'_>) -> bool {
    match unit(bytes) {
        0xdc00..=0xdfff => false,
        0xd800..=0xdbff => {
            let mut ahead = bytes.clone();
            let is_pair = ahead.next() == Some(b'\\')
                && ahead.next() == Some(b'u')
                && matches!(unit(&mut ahead), 0xdc00..=0xdfff);
            if is_pair {
                *bytes = ahead;
            }
            is_pair
        }
        _ => true,
    }
}

/// The value of four hexadecimal digits.
fn unit(bytes: &mut std::str::Bytes<'_>) -> u32 {
    bytes.by_ref().take(4).fold(0, |value, byte| value * 16 + char::from(byte).to_digit(16).unwrap_or(0))
}

/// Drops white space outside strings. The text is known to be JSON.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}
