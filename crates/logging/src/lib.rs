//! Structured log lines of the components and the launcher: one JSON object a line, on standard error.
//!
//! What may be logged: ids, names, states, counts, durations, statuses, error codes. Never bodies, inputs,
//! results, keys, tokens, pop receipts, URLs with a query or the value of a variable.
//!
//! By hand, because the `json` layer of `tracing-subscriber` has other member names, on which the queries of
//! `docs/operations.md` depend, and brings a dispatcher into components of one thread.

use models::Timestamp;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

/// How much attention a line needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Normal operation.
    Info,
    /// The program recovers by itself; an operator may want to look at the cause.
    Warn,
    /// An operator has to act.
    Error,
}

/// Space for most lines, in bytes.
const TYPICAL_BYTES: usize = 320;

/// One line: an event and its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How much attention it needs.
    pub level: Level,
    /// What happened, in fixed words without variable parts.
    pub message: &'static str,
    /// The variable parts in the order of their names.
    fields: Vec<(&'static str, Value)>,
}

impl Line {
    /// A line that says `message`.
    #[must_use]
    pub fn new(level: Level, message: &'static str) -> Self {
        Self { level, message, fields: Vec::new() }
    }

    /// A line of [`Level::Info`].
    #[must_use]
    pub fn info(message: &'static str) -> Self {
        Self::new(Level::Info, message)
    }

    /// A line of [`Level::Warn`].
    #[must_use]
    pub fn warn(message: &'static str) -> Self {
        Self::new(Level::Warn, message)
    }

    /// A line of [`Level::Error`].
    #[must_use]
    pub fn error(message: &'static str) -> Self {
        Self::new(Level::Error, message)
    }

    /// Adds a field, or replaces it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        match self.fields.binary_search_by_key(&name, |(known, _)| *known) {
            Err(at) => self.fields.insert(at, (name, value)),
            Ok(at) => {
                if let Some(field) = self.fields.get_mut(at) {
                    field.1 = value;
                }
            }
        }
        self
    }

    /// The line as JSON, without a line break.
    #[must_use]
    pub fn to_json(&self, now: Timestamp) -> String {
        let level = match self.level {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let line = Json { time: now, level, message: self.message, fields: &self.fields };
        let mut text = Vec::with_capacity(TYPICAL_BYTES);
        // Serialising these types into memory cannot fail, and what serde_json writes is UTF-8.
        let _ = serde_json::to_writer(&mut text, &line);
        String::from_utf8(text).unwrap_or_default()
    }
}

/// The members of a line. Serialised from where they are: copying them into one object took most of the time of a line.
struct Json<'a> {
    time: Timestamp,
    level: &'static str,
    message: &'static str,
    fields: &'a [(&'static str, Value)],
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("level", self.level)?;
        map.serialize_entry("message", self.message)?;
        for (name, value) in self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Where log lines go.
pub trait Log {
    /// Writes one line; never fails, never waits.
    fn log(&self, line: &Line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_one_json_object_with_time_level_and_message() {
        let line = Line::warn("drain failed").with("status", 503).with("reason", "a \"b\"\nc");
        let text = line.to_json(Timestamp::from_unix_millis(0));
        assert!(!text.contains('\n'));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!((&value["level"], &value["message"]), (&"warn".into(), &"drain failed".into()));
        assert_eq!(value["status"], 503);
    }
}
