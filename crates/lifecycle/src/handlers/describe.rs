//! The rules as JSON for operators.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Handlers, Rule, Target};

impl Handlers {
    /// Returns the rules as they were parsed: an object from patterns to objects with the members of `task_handlers`. A
    /// URL has neither user name, path nor query.
    #[must_use]
    pub fn describe(&self) -> Value {
        // Inserted one by one: `collect` would bring a sort of its own into the component.
        let mut rules = Map::new();
        for (pattern, rule) in self.iter() {
            rules.insert(pattern.to_owned(), describe(rule));
        }
        rules.into()
    }
}

fn describe(rule: &Rule) -> Value {
    let handler = match &rule.handler {
        None => "built-in".to_owned(),
        Some(Target::Component(id)) => id.clone(),
        Some(Target::Url(url)) => origin(url),
    };
    let limits = &rule.limits;
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
    let number = |count: Option<usize>| count.and_then(|count| u64::try_from(count).ok());
    let members = [
        ("max_concurrency", number(limits.max_concurrency)),
        ("task_timeout_seconds", seconds(limits.task_timeout)),
        ("max_dequeue_count", limits.max_dequeue_count.map(u64::from)),
        ("retry_base_seconds", seconds(limits.retry_base)),
        ("retry_cap_seconds", seconds(limits.retry_cap)),
        ("retention_days", seconds(limits.retention).map(|seconds| seconds / 86_400)),
        ("max_result_bytes", number(limits.max_result_bytes)),
    ];
    let mut description = Map::new();
    description.insert("handler".to_owned(), handler.into());
    for (name, value) in members {
        if let Some(value) = value {
            description.insert(name.to_owned(), value.into());
        }
    }
    description.into()
}

fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}")
}
