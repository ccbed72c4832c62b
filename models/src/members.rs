//! The members of a JSON object with case-insensitive names.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::has_lone_surrogate;
use crate::{ContractError, Json, JsonError};

/// The unparsed members of a JSON object in their order. If there are several members of one name, the last one counts,
/// as in Newtonsoft.Json.
///
/// A list and not a map: an object has few members, each is looked for once, and building a map cost more than it saved.
pub(crate) struct Members<'a>(Vec<(Name<'a>, &'a RawValue)>);

impl<'a> Members<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ContractError> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(Name<'de>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        // .NET may write a UTF-8 byte order mark in front of a document.
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let members = deserializer
            .deserialize_map(Object)
            .and_then(|members| deserializer.end().map(|()| members))
            .map_err(|error| ContractError::NotAnObject(position(&error)))?;
        Ok(Self(members))
    }

    pub(crate) fn contains(&self, member: &'static str) -> bool {
        self.raw(member).is_some()
    }

    /// Returns the member's JSON text; `null` counts as present.
    pub(crate) fn raw(&self, member: &'static str) -> Option<&'a RawValue> {
        let named = |(name, _): &&(Name<'a>, &'a RawValue)| name.0.eq_ignore_ascii_case(member);
        self.0.iter().rev().find(named).map(|(_, value)| *value)
    }

    /// Parses the member as a `T`; `None` if it is absent. `expected` completes the sentence "must be …".
    pub(crate) fn required_type<T: DeserializeOwned>(
        &self,
        member: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ContractError> {
        self.raw(member).map(|raw| parse(raw, member, expected)).transpose()
    }

    /// Like [`Self::required_type`], but `null` counts as absent.
    pub(crate) fn nullable<T: DeserializeOwned>(
        &self,
        member: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ContractError> {
        self.present(member).map(|raw| parse(raw, member, expected)).transpose()
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

fn parse<T: DeserializeOwned>(
    raw: &RawValue,
    member: &'static str,
    expected: &str,
) -> Result<T, ContractError> {
    // From bytes, as everywhere: the parser is generic over its input, and a second copy is a twentieth of a component's
    // size.
    serde_json::from_slice(raw.get().as_bytes()).map_err(|_| wrong_type(raw, member, expected))
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
