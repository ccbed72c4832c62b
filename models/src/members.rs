//! The members of a JSON object with case-insensitive names.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::has_lone_surrogate;
use crate::{ContractError, Json, JsonError, TaskId, Timestamp, text};

/// The unparsed members of a JSON object in their order. If there are several members of one name, the last one counts,
/// as in Newtonsoft.Json.
///
/// A list and not a map: an object has few members, each is looked for once, and building a map cost more than it saved.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ContractError> {
        // .NET may write a UTF-8 byte order mark in front of a document.
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let members = members(bytes).map_err(|error| ContractError::NotAnObject(position(&error)))?;
        Ok(Self(members))
    }

    pub(crate) fn contains(&self, member: &'static str) -> bool {
        self.raw(member).is_some()
    }

    /// Returns the member's JSON text; `null` counts as present.
    pub(crate) fn raw(&self, member: &'static str) -> Option<&'a RawValue> {
        let named = |(name, _): &&(Cow<'a, str>, &'a RawValue)| name.eq_ignore_ascii_case(member);
        self.0.iter().rev().find(named).map(|(_, value)| *value)
    }

    /// Parses the member as a `T`; `None` if it is absent. `expected` completes the sentence "must be …".
    pub(crate) fn required_type<T: Member>(
        &self,
        member: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ContractError> {
        self.raw(member).map(|raw| parse(raw, member, expected)).transpose()
    }

    /// Like [`Self::required_type`], but `null` counts as absent.
    pub(crate) fn nullable<T: Member>(
        &self,
        member: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ContractError> {
        self.present(member).map(|raw| parse(raw, member, expected)).transpose()
    }

    /// Parses the member as a `T`; `None` if it is absent or invalid.
    pub(crate) fn valid<T: Member>(&self, member: &'static str) -> Option<T> {
        self.raw(member).and_then(|raw| T::of(raw.get()))
    }

    /// Parses the member as a `T`; `None` if it is invalid, `Some(None)` if it is absent or `null`.
    pub(crate) fn optional<T: Member>(&self, member: &'static str) -> Option<Option<T>> {
        match self.present(member) {
            Some(raw) => T::of(raw.get()).map(Some),
            None => Some(None),
        }
    }

    /// Parses the member with `parse`; `null` counts as absent.
    pub(crate) fn json(
        &self,
        member: &'static str,
        parse: fn(&RawValue) -> Result<Json, JsonError>,
    ) -> Result<Option<Json>, ContractError> {
        self.present(member)
            .map(|raw| parse(raw).map_err(|error| ContractError::member(member, error.to_string())))
            .transpose()
    }

    fn present(&self, member: &'static str) -> Option<&'a RawValue> {
        self.raw(member).filter(|raw| raw.get() != "null")
    }
}

/// Returns the unparsed members of a JSON object in their order; names are unescaped.
///
/// # Errors
/// If the text is not one JSON object.
pub fn members(json: &[u8]) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a JSON object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((Name(name), value)) = map.next_entry()? {
                members.push((name, value));
            }
            Ok(members)
        }
    }
    // From bytes, as everywhere: the parser is generic over its input, and a second copy is a twentieth of a component's size.
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let members = deserializer.deserialize_map(Object)?;
    deserializer.end().map(|()| members)
}

/// The name of a member, borrowed from the text unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A type of a member. Its parser reads the text of one JSON value, whose syntax is valid.
///
/// Not `Deserialize`: each type that serde deserialises adds code to the components, and these need few of its features.
pub(crate) trait Member: Sized {
    fn of(json: &str) -> Option<Self>;
}

impl Member for String {
    fn of(json: &str) -> Option<Self> {
        text(json).map(Cow::into_owned)
    }
}

/// The types whose values Rust writes like JSON.
macro_rules! plain_member {
    ($($type:ty),*) => {$(
        impl Member for $type {
            fn of(json: &str) -> Option<Self> {
                json.parse().ok()
            }
        }
    )*};
}

plain_member!(bool, u8, u32, u64);

/// The types that are written as strings.
macro_rules! text_member {
    ($($type:ty),*) => {$(
        impl Member for $type {
            fn of(json: &str) -> Option<Self> {
                text(json)?.parse().ok()
            }
        }
    )*};
}

text_member!(TaskId, Timestamp);

impl<T: Member> Member for Vec<T> {
    fn of(json: &str) -> Option<Self> {
        items(json)?.into_iter().map(|item| T::of(item.get())).collect()
    }
}

/// The unparsed items of a JSON array.
pub(crate) fn items(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_slice(json.as_bytes()).ok()
}

/// Reads the members of a document. In place of an invalid one it returns `None` and notes the error, which
/// [`Reader::checked`] returns: an early return for each member is more code than parsing them.
pub(crate) struct Reader<'m, 'a> {
    members: &'m Members<'a>,
    first_error: OnceCell<ContractError>,
}

impl<'m, 'a> Reader<'m, 'a> {
    pub(crate) fn new(members: &'m Members<'a>) -> Self {
        Self { members, first_error: OnceCell::new() }
    }

    /// The document that was read, unless a member was invalid.
    pub(crate) fn checked<T>(self, document: T) -> Result<T, ContractError> {
        match self.first_error.into_inner() {
            Some(error) => Err(error),
            None => Ok(document),
        }
    }

    /// Notes an error unless there is an earlier one.
    pub(crate) fn noted<T>(&self, result: Result<Option<T>, ContractError>) -> Option<T> {
        result.unwrap_or_else(|error| {
            let _ = self.first_error.set(error);
            None
        })
    }

    /// Like [`Members::required_type`].
    pub(crate) fn required_type<T: Member>(&self, member: &'static str, expected: &str) -> Option<T> {
        self.noted(self.members.required_type(member, expected))
    }

    /// Like [`Members::nullable`].
    pub(crate) fn nullable<T: Member>(&self, member: &'static str, expected: &str) -> Option<T> {
        self.noted(self.members.nullable(member, expected))
    }
}

fn parse<T: Member>(raw: &RawValue, member: &'static str, expected: &str) -> Result<T, ContractError> {
    T::of(raw.get()).ok_or_else(|| wrong_type(raw, member, expected))
}

/// Not part of the generic function, of which a component contains a copy for each type.
#[cold]
fn wrong_type(raw: &RawValue, member: &'static str, expected: &str) -> ContractError {
    let reason = if has_lone_surrogate(raw.get()) {
        JsonError::LoneSurrogate.to_string()
    } else {
        format!("must be {expected}")
    };
    ContractError::member(member, reason)
}

/// Returns where and why the text is not JSON. Serde's own message can contain input, so only its category and
/// position are used.
fn position(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => return "it ends too early".to_owned(),
        serde_json::error::Category::Data => return "it is some other JSON value".to_owned(),
        _ => match error.to_string() {
            text if text.contains("hex escape") => "half of a surrogate pair",
            text if text.contains("invalid unicode") => "not UTF-8",
            _ => "not JSON",
        },
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}
