use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::members::Member;
use crate::node;

/// The stored state of a task (`Status`). It is written as an integer; names are also read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Accepted and waiting for its start time, a worker or the next attempt.
    Pending = 0,
    /// A worker has started an attempt.
    InProgress = 1,
    /// The work is done and the result is stored. Terminal.
    Completed = 2,
    /// The work failed permanently; the error contains the reason. Terminal, except for an explicit retry.
    Failed = 3,
    /// A client cancelled the task before it was completed. Terminal.
    Cancelled = 4,
}

/// The priority of a task (`Priority`). It is written as an integer; names are also read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TaskPriority {
    /// Lowest priority.
    Low = 0,
    /// The default.
    #[default]
    Medium = 1,
    /// Highest priority.
    High = 2,
}

impl TaskState {
    /// All states in the order of their integers.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::InProgress, Self::Completed, Self::Failed, Self::Cancelled];

    /// Returns whether the state is terminal. Only an explicit retry leaves a terminal state.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Returns the name of the state in the .NET enum.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

impl TaskPriority {
    /// All priorities in the order of their integers.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// Returns the name of the priority in the .NET enum.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}

/// Parses both enums: an integer, as a number or as text, or a case-insensitive name.
struct Choice<T: 'static> {
    all: &'static [T],
    name: fn(T) -> &'static str,
    expected: &'static str,
}

impl<T: Copy> Choice<T> {
    fn number(&self, value: u64) -> Option<T> {
        self.all.get(usize::try_from(value).ok()?).copied()
    }

    fn text(&self, value: &str) -> Option<T> {
        // .NET's enum converter also parses numbers in strings.
        if let Ok(number) = value.trim().parse() {
            return self.number(number);
        }
        self.all.iter().copied().find(|item| (self.name)(*item).eq_ignore_ascii_case(value))
    }

    fn member(&self, json: &str) -> Option<T> {
        match node::text(json) {
            Some(text) => self.text(&text),
            None => self.number(json.parse().ok()?),
        }
    }
}

impl<T: Copy> Visitor<'_> for Choice<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        self.number(value).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        self.text(value).ok_or_else(|| E::invalid_value(Unexpected::Other("another name"), &self))
    }
}

macro_rules! integer_or_name {
    ($type:ident, $expected:literal) => {
        impl $type {
            pub(crate) const EXPECTED: &'static str = $expected;
            const CHOICE: Choice<Self> =
                Choice { all: &Self::ALL, name: Self::name, expected: Self::EXPECTED };
        }

        impl Member for $type {
            fn of(json: &str) -> Option<Self> {
                Self::CHOICE.member(json)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u8(*self as u8)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Self::CHOICE)
            }
        }
    };
}

integer_or_name!(
    TaskState,
    "0 (Pending), 1 (InProgress), 2 (Completed), 3 (Failed) or 4 (Cancelled), or one of these names"
);
integer_or_name!(TaskPriority, "0 (Low), 1 (Medium) or 2 (High), or one of these names");
