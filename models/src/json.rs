use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::node;

/// Maximum number of levels of arrays and objects in any [`Json`].
pub const MAX_JSON_LEVELS: usize = 127;

/// Maximum number of levels in an `Input`. The .NET side reads the document that contains it with Newtonsoft.Json,
/// which refuses more than 64 levels including the document's own.
pub const MAX_INPUT_LEVELS: usize = 63;

/// Maximum number of levels of a result in the document. A page of the list contains it three levels down, and readers
/// of the list have a limit of 64 as well.
pub const MAX_RESULT_LEVELS: usize = 61;

/// Maximum length of a number in characters, which is the limit of Newtonsoft.Json for whole numbers.
pub const MAX_NUMBER_CHARS: usize = 380;

/// A JSON value, stored as compact text to preserve numbers of any size and the order of members.
///
/// Values are compared by content: the spelling of strings and numbers and the order of members are irrelevant.
/// Numbers are compared by value at any size and precision. If an object has several members of one name, the last
/// one counts.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

/// Text is not a valid [`Json`], or not one that the .NET side can read. The message completes the sentence
/// "it must …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not a single JSON value.
    #[error("must be one JSON value")]
    Syntax,
    /// It has too many levels.
    #[error("must have at most {0} levels of arrays and objects")]
    TooDeep(usize),
    /// A number is too long.
    #[error("must not hold a number of more than {MAX_NUMBER_CHARS} characters")]
    LongNumber,
    /// A string contains a lone surrogate.
    #[error(
        "must not hold half of a surrogate pair (\\ud800 to \\udfff without its other half): it stands for no \
         character"
    )]
    LoneSurrogate,
}

impl Json {
    /// Parses JSON text and removes insignificant white space.
    ///
    /// # Errors
    /// If the text is not a single JSON value, has more than [`MAX_JSON_LEVELS`] levels or contains a lone surrogate.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        Self::of_raw(valid(text)?)
    }

    /// Parses like [`Json::parse`], for a value that the .NET side must be able to read: at most `levels` levels, and
    /// numbers of at most [`MAX_NUMBER_CHARS`].
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn parse_portable(text: &str, levels: usize) -> Result<Self, JsonError> {
        Self::portable(valid(text)?, levels)
    }

    /// Like [`Json::parse`], for text whose syntax is valid.
    pub(crate) fn of_raw(raw: &RawValue) -> Result<Self, JsonError> {
        Self::read(raw, MAX_JSON_LEVELS, usize::MAX)
    }

    /// Like [`Json::parse_portable`], for text whose syntax is valid.
    pub(crate) fn portable(raw: &RawValue, levels: usize) -> Result<Self, JsonError> {
        Self::read(raw, levels.min(MAX_JSON_LEVELS), MAX_NUMBER_CHARS)
    }

    fn read(raw: &RawValue, levels: usize, number_chars: usize) -> Result<Self, JsonError> {
        let text = raw.get();
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
        if !survey.white_space {
            return Ok(Self(raw.to_owned()));
        }
        // Not `RawValue::from_string`, for the same reason as in `valid`.
        serde_json::from_slice(compact(text).as_bytes()).map(Self).map_err(|_| JsonError::Syntax)
    }

    /// Returns the compact JSON text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Returns the content of a JSON string; `None` for any other value.
    #[must_use]
    pub fn as_text(&self) -> Option<String> {
        node::text(self.get()).map(Cow::into_owned)
    }

    /// Returns the parsed value, with numbers limited to 64 bits, or `null` if a number is out of range. Use it for
    /// display and inspection, not for comparison or storage.
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
    /// Formats only the size: inputs and results are data of the caller and must not be logged.
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
        Self::of_raw(&raw).map_err(serde::de::Error::custom)
    }
}

/// Properties of the text of a JSON value.
#[derive(Default)]
struct Survey {
    levels: usize,
    longest_number: usize,
    lone_surrogate: bool,
    /// Outside strings.
    white_space: bool,
}

/// Checks the syntax. From bytes, as everywhere: the parser is generic, and a second copy is a twentieth of a component's
/// size.
fn valid(text: &str) -> Result<&RawValue, JsonError> {
    serde_json::from_slice(text.as_bytes()).map_err(|_| JsonError::Syntax)
}

/// Returns whether a string in this JSON text contains a lone surrogate.
pub(crate) fn has_lone_surrogate(text: &str) -> bool {
    survey(text).lone_surrogate
}

/// Scans JSON text in one pass, without recursion. The result for other text has no meaning.
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
            b' ' | b'\t' | b'\n' | b'\r' => found.white_space = true,
            _ => {}
        }
    }
    found
}

/// Consumes what follows `\u`. Returns whether it is a character, alone or together with a second `\u`.
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

/// Parses four hexadecimal digits.
fn unit(bytes: &mut std::str::Bytes<'_>) -> u32 {
    bytes.by_ref().take(4).fold(0, |value, byte| value * 16 + char::from(byte).to_digit(16).unwrap_or(0))
}

/// Removes white space outside strings. The text must be JSON.
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
