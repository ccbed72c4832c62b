//! The JSON of `task_handlers`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{Limits, MAX_LARGE_RESULT_BYTES, Rule, Target};

/// The most rules. Each delivery looks at all of them.
const MAX_RULES: usize = 256;
/// The longest component id: it is a label of a host name.
const MAX_ID_BYTES: usize = 63;
/// The seconds of a day.
const DAY: u64 = 86_400;

pub(super) fn handlers(text: &str) -> Result<BTreeMap<String, Rule>, String> {
    let members = models::members(text.as_bytes()).map_err(|error| match error.classify() {
        Category::Data => "it is some other JSON value".to_owned(),
        Category::Eof => "it ends too early".to_owned(),
        // What is left of JSON in a `.env` file without single quotes, or in a shell.
        _ if !text.contains(['"', '\'']) => {
            "it has no quotation marks: in a .env file JSON has to be in single quotes".to_owned()
        }
        _ => format!("it is not JSON from line {}, column {}, on", error.line(), error.column()),
    })?;
    if members.len() > MAX_RULES {
        return Err(format!("it has more than {MAX_RULES} members"));
    }
    let mut rules = BTreeMap::new();
    for (pattern, value) in members {
        let beginning = pattern.strip_suffix('*').unwrap_or(&pattern);
        if beginning.contains('*') {
            return Err(format!("the pattern {pattern:?} has a * before its end"));
        }
        let rule = rule(value.get()).map_err(|why| format!("the member {pattern:?} {why}"))?;
        rules.insert(pattern.into_owned(), rule);
    }
    Ok(rules)
}

fn rule(value: &str) -> Result<Rule, String> {
    if let Some(text) = models::text(value) {
        return Ok(Rule { handler: Some(target(&text)?), limits: Limits::default() });
    }
    match models::members(value.as_bytes()) {
        Ok(members) => object(&members),
        Err(_) => Err("is no component id, no absolute http(s) URL and no object".to_owned()),
    }
}

fn target(text: &str) -> Result<Target, String> {
    let is_id = text.len() <= MAX_ID_BYTES
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_id {
        return Ok(Target::Component(text.to_owned()));
    }
    let behind_scheme = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if behind_scheme
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '['))
    {
        return Ok(Target::Url(text.to_owned()));
    }
    Err("is no component id and no absolute http(s) URL".to_owned())
}

fn object(members: &[(Cow<'_, str>, &RawValue)]) -> Result<Rule, String> {
    let mut rule = Rule::default();
    let limits = &mut rule.limits;
    for (name, value) in members {
        let whole = |range: RangeInclusive<u64>| {
            value.get().parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
                format!("needs a whole number from {} to {} as {name}", range.start(), range.end())
            })
        };
        let seconds = |longest: u64| whole(1..=longest).map(|number| Some(Duration::from_secs(number)));
        match name.as_ref() {
            "handler" => {
                let text = models::text(value.get()).ok_or("has a handler that is no string")?;
                rule.handler = Some(target(&text).map_err(|why| format!("has a handler that {why}"))?);
            }
            "max_concurrency" => limits.max_concurrency = usize::try_from(whole(1..=256)?).ok(),
            "task_timeout_seconds" => limits.task_timeout = seconds(604_800)?,
            "max_dequeue_count" => limits.max_dequeue_count = u32::try_from(whole(1..=1000)?).ok(),
            "retry_base_seconds" => limits.retry_base = seconds(3600)?,
            "retry_cap_seconds" => limits.retry_cap = seconds(604_800)?,
            "retention_days" => limits.retention = Some(Duration::from_secs(whole(1..=3650)? * DAY)),
            "max_result_bytes" => {
                limits.max_result_bytes = usize::try_from(whole(1..=MAX_LARGE_RESULT_BYTES as u64)?).ok();
            }
            _ => return Err(format!("has the unknown member {name:?}")),
        }
    }
    Ok(rule)
}
