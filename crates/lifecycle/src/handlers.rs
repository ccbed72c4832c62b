//! Which handler a task has, and the policy of its name: the variable `task_handlers`.
//!
//! The variable is a JSON object from patterns to rules. A pattern is a task name, or the beginning of names followed by
//! `*`. The most specific pattern of a name counts, alone: rules of other patterns are not merged with it.

mod describe;
mod parse;
pub mod slots;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Policy;

/// The names with a handler in the worker itself. A rule must name them exactly to replace the handler.
pub const BUILT_IN: [&str; 3] = ["checksum", "simulate", "text-statistics"];
/// The largest result of a task whose rule names no limit, in bytes.
pub const MAX_RESULT_BYTES: usize = 8 * 1024 * 1024;
/// The largest limit that a rule can name, in bytes. Results above [`MAX_RESULT_BYTES`] are stored while they arrive.
pub const MAX_LARGE_RESULT_BYTES: usize = 1024 * 1024 * 1024;

/// The rules of `task_handlers`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handlers {
    rules: BTreeMap<String, Rule>,
}

/// What counts for the tasks whose name matches a pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// The handler; `None` for the built-in one.
    pub handler: Option<Target>,
    /// Differences from the policy of all tasks.
    pub limits: Limits,
}

/// A handler outside the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The component of the application with this id.
    Component(String),
    /// The handler at this http(s) URL.
    Url(String),
}

/// The members of a rule that replace the variable of the same name. `None` leaves the variable's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// `max_concurrency`: tasks of the pattern at a time in a replica.
    pub max_concurrency: Option<usize>,
    /// `task_timeout_seconds`.
    pub task_timeout: Option<Duration>,
    /// `max_dequeue_count`: attempts of a task.
    pub max_dequeue_count: Option<u32>,
    /// `retry_base_seconds`.
    pub retry_base: Option<Duration>,
    /// `retry_cap_seconds`.
    pub retry_cap: Option<Duration>,
    /// `retention_days`.
    pub retention: Option<Duration>,
    /// `max_result_bytes`: the largest result, at most [`MAX_LARGE_RESULT_BYTES`].
    pub max_result_bytes: Option<usize>,
}

impl Handlers {
    /// Parses the value of `task_handlers`.
    ///
    /// # Errors
    /// Why the value is invalid, as a clause. It may contain a pattern or the name of a member, but no URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::handlers(text).map(|rules| Self { rules })
    }

    /// Returns whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The patterns and their rules.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|(pattern, rule)| (pattern.as_str(), rule))
    }

    /// The ids of the components that are handlers, each once.
    #[must_use]
    pub fn components(&self) -> Vec<&str> {
        // By insertion: a sort would be 3.6 KB of the worker.
        let mut ids = Vec::new();
        for id in self.rules.values().filter_map(|rule| rule.handler.as_ref()?.component()) {
            if let Err(at) = ids.binary_search(&id) {
                ids.insert(at, id);
            }
        }
        ids
    }

    /// The URLs of the handlers that are no components.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.rules.values().filter_map(|rule| match &rule.handler {
            Some(Target::Url(url)) => Some(url.as_str()),
            Some(Target::Component(_)) | None => None,
        })
    }

    /// Returns the pattern and the rule of the tasks called `name`; `None` if they have a built-in handler and the
    /// policy of all tasks.
    ///
    /// The name itself comes first, then a built-in handler of that name, then the longest beginning.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(&str, &Rule)> {
        if let Some((pattern, rule)) = self.rules.get_key_value(name) {
            return Some((pattern, rule));
        }
        if BUILT_IN.contains(&name) {
            return None;
        }
        let matching = self.iter().filter(|(pattern, _)| {
            pattern.strip_suffix('*').is_some_and(|beginning| name.starts_with(beginning))
        });
        matching.max_by_key(|(pattern, _)| pattern.len())
    }

    /// Returns the policy of the tasks called `name`, given that of all tasks.
    #[must_use]
    pub fn policy(&self, name: &str, general: &Policy) -> Policy {
        self.find(name).map_or(*general, |(_, rule)| rule.limits.applied_to(general))
    }

    /// Returns a policy in which each time is the longest of any name. Whoever does not know the name of a task waits
    /// that long before it takes the task for lost.
    #[must_use]
    pub fn longest(&self, general: &Policy) -> Policy {
        self.rules.values().fold(*general, |longest, rule| {
            let policy = rule.limits.applied_to(general);
            Policy {
                task_timeout: longest.task_timeout.max(policy.task_timeout),
                retry_cap: longest.retry_cap.max(policy.retry_cap),
                ..longest
            }
        })
    }
}

impl Target {
    /// The id, if the handler is a component.
    #[must_use]
    pub fn component(&self) -> Option<&str> {
        match self {
            Self::Component(id) => Some(id),
            Self::Url(_) => None,
        }
    }
}

impl Limits {
    /// Returns `general` with these differences.
    #[must_use]
    pub fn applied_to(&self, general: &Policy) -> Policy {
        Policy {
            visibility: general.visibility,
            max_dequeue_count: self.max_dequeue_count.unwrap_or(general.max_dequeue_count),
            task_timeout: self.task_timeout.unwrap_or(general.task_timeout),
            retry_base: self.retry_base.unwrap_or(general.retry_base),
            retry_cap: self.retry_cap.unwrap_or(general.retry_cap),
            retention: self.retention.unwrap_or(general.retention),
        }
    }
}
