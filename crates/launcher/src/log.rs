//! Structured log lines: one JSON object a line on standard error, in the form the components use.
//!
//! What may be logged: names, counts, durations, statuses. Never a variable's value, the drain token or the
//! text of a response.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The severity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Normal operation.
    Info,
    /// The launcher recovers by itself; an operator may want to look at the cause.
    Warn,
    /// An operator has to act.
    Error,
}

/// One line: fixed words and their variable parts.
#[derive(Debug, Clone)]
pub struct Line {
    level: Level,
    message: &'static str,
    fields: Map<String, Value>,
}

impl Line {
    /// A line that says `message`.
    #[must_use]
    pub fn new(level: Level, message: &'static str) -> Self {
        Self { level, message, fields: Map::new() }
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

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The line as JSON, without a line break.
    #[must_use]
    pub fn to_json(&self, now: OffsetDateTime) -> String {
        let level = match self.level {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let mut object = self.fields.clone();
        // Formatting fails only for years beyond four digits.
        object.insert("time".to_owned(), now.format(&Rfc3339).unwrap_or_default().into());
        object.insert("level".to_owned(), level.into());
        object.insert("source".to_owned(), "launcher".into());
        object.insert("message".to_owned(), self.message.into());
        Value::Object(object).to_string()
    }

    /// Writes the line.
    pub fn write(&self) {
        eprintln!("{}", self.to_json(OffsetDateTime::now_utc()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_one_json_object_with_time_level_and_message() {
        let line = Line::warn("drain failed").with("status", 503).with("reason", "a \"b\"\nc");
        let text = line.to_json(OffsetDateTime::UNIX_EPOCH);
        assert!(!text.contains('\n'));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["time"], "1970-01-01T00:00:00Z");
        assert_eq!((&value["level"], &value["message"]), (&"warn".into(), &"drain failed".into()));
        assert_eq!(value["status"], 503);
    }
}
