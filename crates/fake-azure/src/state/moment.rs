//! A point in time as the journal writes it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A point in time, written as seconds and nanoseconds of the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) OffsetDateTime);

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0.unix_timestamp(), self.0.nanosecond()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, nanoseconds) = <(i64, u32)>::deserialize(deserializer)?;
        OffsetDateTime::from_unix_timestamp(seconds)
            .and_then(|at| at.replace_nanosecond(nanoseconds))
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}
