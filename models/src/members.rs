//! The members of a JSON object with case-insensitive names.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::has_lone_surrogate;
use crate::{ContractError, Json, JsonError};

/// The unparsed members of a JSON object by their lower-case name. If there are several members of one name, the last
/// one counts, as in Newtonsoft.Json.
pub(crate) struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ContractError> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = BTreeMap<String, Box<RawValue>>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.insert(name.to_ascii_lowercase(), value);
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
        self.0.contains_key(&member.to_ascii_lowercase())
    }

    /// Removes and returns the member's JSON text; `null` counts as present.
    pub(crate) fn raw(&mut self, member: &'static str) -> Option<Box<RawValue>> {
        self.0.remove(&member.to_ascii_lowercase())
    }

    /// Removes the member and parses it as a `T`; `None` if it is absent. `expected` completes the sentence
    /// "must be …".
    pub(crate) fn required_type<T: DeserializeOwned>(
        &mut self,
        member: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ContractError> {
        let Some(raw) = self.raw(member) else { return Ok(None) };
        // From bytes, as everywhere: the parser is generic over its input, and a second copy is a twentieth of a
        // component's size.
        serde_json::from_slice(raw.get().as_bytes()).map(Some).map_err(|_| {
            let reason = if has_lone_surrogate(raw.get()) {
                JsonError::LoneSurrogate.to_string()
            } else {
                format!("must be {expected}")
            };
            ContractError::member(member, reason)
        })
    }

    /// Removes the member and parses it with `parse`; `null` counts as absent.
    pub(crate) fn json(
        &mut self,
        member: &'static str,
        parse: fn(&str) -> Result<Json, JsonError>,
    ) -> Result<Option<Json>, ContractError> {
        match self.raw(member) {
            Some(raw) if raw.get() != "null" => {
                parse(raw.get()).map(Some).map_err(|error| ContractError::member(member, error.to_string()))
            }
            _ => Ok(None),
        }
    }

    /// Like [`Self::required_type`], but `null` counts as absent.
    pub(crate) fn nullable<T: DeserializeOwned>(
        &mut self,
        member: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ContractError> {
        self.required_type::<Option<T>>(member, expected).map(Option::flatten)
    }
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
