use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The stored state of a task (`Status`), written as its integer; names are read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Accepted and waiting: for its time, for a worker, or for the next attempt.
    Pending = 0,
    /// A worker has started an attempt. Left by its outcome, or taken over when the lease runs out.
    InProgress = 1,
    /// The work was done and its result stored. Terminal.
    Completed = 2,
    /// The work cannot be done; the error says why. Terminal, except for an explicit retry.
    Failed = 3,
    /// Stopped on request before it was done. Terminal.
    Cancelled = 4,
}

/// How urgent a task is (`Priority`), written as its integer; names are read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TaskPriority {
    /// Least urgent.
    Low = 0,
    /// What a request without a priority gets.
    #[default]
    Medium = 1,
    /// Most urgent.
    High = 2,
}

impl TaskState {
    /// Every state, in the order of its integer.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::InProgress, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether the state is never left again.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The name of the state, as the .NET enum spells it.
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
    /// Every priority, in the order of its integer.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The name of the priority, as the .NET enum spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}

/// Integer, as a number or as text, or name (without case), for both enums.
struct Choice<T: 'static> {
    all: &'static [T],
    name: fn(T) -> &'static str,
    expected: &'static str,
}

impl<T: Copy> Visitor<'_> for Choice<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        let index = usize::try_from(value).unwrap_or(usize::MAX);
        self.all.get(index).copied().ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        // .NET's converter of enum names takes their numbers as text too.
        if let Ok(number) = value.trim().parse::<u64>() {
            return self.visit_u64(number);
        }
        let found = self.all.iter().copied().find(|item| (self.name)(*item).eq_ignore_ascii_case(value));
        found.ok_or_else(|| E::invalid_value(Unexpected::Other("another name"), &self))
    }
}

macro_rules! integer_or_name {
    ($type:ident, $expected:literal) => {
        impl $type {
            pub(crate) const EXPECTED: &'static str = $expected;
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u8(*self as u8)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let choice = Choice { all: &Self::ALL, name: Self::name, expected: Self::EXPECTED };
                deserializer.deserialize_any(choice)
            }
        }
    };
}

integer_or_name!(
    TaskState,
    "0 (Pending), 1 (InProgress), 2 (Completed), 3 (Failed) or 4 (Cancelled), or one of these names"
);
integer_or_name!(TaskPriority, "0 (Low), 1 (Medium) or 2 (High), or one of these names");
