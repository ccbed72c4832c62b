//! Structured log lines: one JSON object a line, on standard error.
//!
//! What may be logged: ids, states, counts, durations, statuses, error codes. Never bodies, inputs,
//! results, keys, tokens, pop receipts or URLs with a query.

use models::Timestamp;
use serde_json::{Map, Value};

/// How much attention a line needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The normal course of things.
    Info,
    /// Something an operator may want to look at; the system copes.
    Warn,
    /// Something an operator must look at.
    Error,
}

/// One line: an event and its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How much attention it needs.
    pub level: Level,
    /// What happened, in fixed words without variable parts.
    pub message: &'static str,
    /// The variable parts.
    pub fields: Map<String, Value>,
}

impl Line {
    /// A line of [`Level::Info`].
    #[must_use]
    pub fn info(message: &'static str) -> Self {
        Self { level: Level::Info, message, fields: Map::new() }
    }

    /// A line of [`Level::Warn`].
    #[must_use]
    pub fn warn(message: &'static str) -> Self {
        Self { level: Level::Warn, ..Self::info(message) }
    }

    /// A line of [`Level::Error`].
    #[must_use]
    pub fn error(message: &'static str) -> Self {
        Self { level: Level::Error, ..Self::info(message) }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
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
        let mut object = self.fields.clone();
        object.insert("time".to_owned(), now.to_string().into());
        object.insert("level".to_owned(), level.into());
        object.insert("message".to_owned(), self.message.into());
        Value::Object(object).to_string()
    }
}

/// Where log lines go.
pub trait Log {
    /// Writes one line; never fails, never waits.
    fn log(&self, line: &Line);
}
