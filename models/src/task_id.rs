use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::ContractError;

/// The id of a task: a GUID in lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Uuid);

impl TaskId {
    /// Returns a random (version 4) id from 16 random bytes.
    #[must_use]
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Returns a name-based (version 8, RFC 9562) id from the first 16 bytes of a digest, of at least that many. The same
    /// digest always gives the same id.
    #[must_use]
    pub fn from_digest(digest: &[u8]) -> Self {
        let mut bytes = [0; 16];
        for (byte, from) in bytes.iter_mut().zip(digest) {
            *byte = *from;
        }
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Returns whether it is the nil id, `00000000-0000-0000-0000-000000000000`, which counts as no id.
    #[must_use]
    pub fn is_nil(self) -> bool {
        self.0.is_nil()
    }

    /// Returns the name of the blob with the task's document: `{TaskId}-202`.
    #[must_use]
    pub fn status_blob_name(self) -> String {
        format!("{self}-202")
    }
}

impl FromStr for TaskId {
    type Err = ContractError;

    /// Parses all forms that .NET's `Guid` parses, case-insensitively: 32 hexadecimal digits, with or without hyphens,
    /// in braces or parentheses, or in the form `{0x…,0x…,0x…,{0x…,…}}`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        // `Uuid` also parses the URN form, which .NET refuses.
        let plain = Some(inner.unwrap_or(text)).filter(|text| !text.starts_with("urn"));
        // Parentheses are allowed around one form only.
        let plain = plain.filter(|plain| inner.is_none() || plain.len() == 36);
        let found = plain.and_then(|text| Uuid::try_parse(text).ok()).or_else(|| of_parts(text));
        found.map(Self).ok_or_else(|| {
            ContractError::member("TaskId", "must be a GUID such as 0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b")
        })
    }
}

/// Parses the format "X" of .NET: the fields in hexadecimal, the last eight in inner braces.
fn of_parts(text: &str) -> Option<Uuid> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (front, back) = text.strip_prefix('{')?.strip_suffix("}}")?.split_once(",{")?;
    let number = |part: &str, digits: usize| {
        let hex = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"))?;
        let plain = (1..=digits).contains(&hex.len()) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| u32::from_str_radix(hex, 16).ok()).flatten()
    };
    let mut parts = front.split(',');
    let first = number(parts.next()?, 8)?;
    let second = u16::try_from(number(parts.next()?, 4)?).ok()?;
    let third = u16::try_from(number(parts.next()?, 4)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let bytes: Vec<u8> = back
        .split(',')
        .map(|part| number(part, 2).and_then(|byte| u8::try_from(byte).ok()))
        .collect::<Option<_>>()?;
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    Some(Uuid::from_fields(first, second, third, &bytes))
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
        serializer.serialize_str(self.0.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
