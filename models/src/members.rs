//! The members of one JSON object, found by name without regard to case.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::has_lone_surrogate;
use crate::{ContractError, Json, JsonError};

/// The members of a JSON object, still unparsed, keyed by lower-cased name. The last of several
/// members of one name counts, as it does for Newtonsoft JSON.
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
        // A UTF-8 byte order mark is legal in front of a document written by .NET.
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

    /// The member's JSON text; `null` counts as present.
    pub(crate) fn raw(&mut self, member: &'static str) -> Option<Box<RawValue>> {
        self.0.remove(&member.to_ascii_lowercase())
    }

    /// The member as a `T`; `None` when it is absent. `expected` completes the sentence "must be …".
    pub(crate) fn required_type<T: DeserializeOwned>(
        &mut self,
        member: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ContractError> {
        let Some(raw) = self.raw(member) else { return Ok(None) };
        // From bytes, as everywhere: serde_json's parser is generic over its input, and a second copy of it
        // is a twentieth of a component.
        serde_json::from_slice(raw.get().as_bytes()).map(Some).map_err(|_| {
            let reason = if has_lone_surrogate(raw.get()) {
                JsonError::LoneSurrogate.to_string()
            } else {
                format!("must be {expected}")
            };
            ContractError::member(member, reason)
        })
    }

    /// The member as any JSON value that `parse` takes; `null` counts as absent.
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

    /// As [`Self::required_type`], with `null` taken as absent.
    pub(crate) fn nullable<T: DeserializeOwned>(
        &mut self,
        member: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ContractError> {
        self.required_type::<Option<T>>(member, expected).map(Option::flatten)
    }
}

/// Where and why the text stops being JSON. Serde's own sentence can quote the input, so only what it is
/// about and its position are kept.
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
