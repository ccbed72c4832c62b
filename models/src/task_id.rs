use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::ContractError;

/// The identity of a task: a GUID, written in lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Uuid);

impl TaskId {
    /// Takes an id made elsewhere.
    #[must_use]
    pub fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// A random (version 4) id from 16 random bytes.
    #[must_use]
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// A name-based (version 8, RFC 9562) id from the first 16 bytes of a digest: the same digest
    /// always gives the same task.
    #[must_use]
    pub fn from_digest(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Name of the blob that holds the task's status: `{TaskId}-202`.
    #[must_use]
    pub fn status_blob_name(self) -> String {
        format!("{self}-202")
    }
}

impl FromStr for TaskId {
    type Err = ContractError;

    /// Accepts 32 hexadecimal digits with or without hyphens or braces, in any case, as .NET does.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `Uuid` would also take the URN form, which .NET refuses.
        match Uuid::try_parse(text) {
            Ok(id) if !text.starts_with("urn") => Ok(Self(id)),
            _ => Err(ContractError::member(
                "TaskId",
                "must be a GUID such as 0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b",
            )),
        }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
