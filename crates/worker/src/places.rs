//! The places of one drain for tasks whose name has a limit of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::HeaderMap;
use lifecycle::handlers::Handlers;
use lifecycle::handlers::slots::share;

/// The tasks of each limited pattern that run in one drain.
pub(crate) struct Places {
    /// Which of the drains of the replica this is.
    index: usize,
    drains: usize,
    running: RefCell<BTreeMap<String, usize>>,
}

/// A place, which is free again when this value is dropped.
pub(crate) struct Place<'a> {
    places: &'a Places,
    /// `None` if the name has no limit.
    pattern: Option<String>,
}

impl Places {
    /// The places of a drain whose request has the header `drain-share: INDEX/DRAINS`. Without it, or with another value,
    /// the drain counts as the only one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let shares = headers.get("drain-share").and_then(|value| value.to_str().ok()?.split_once('/'));
        let parsed = shares.and_then(|(index, drains)| Some((index.parse().ok()?, drains.parse().ok()?)));
        let (index, drains) = parsed.filter(|(index, drains)| index < drains).unwrap_or((0, 1));
        Self { index, drains, running: RefCell::default() }
    }

    /// Takes a place for a task called `name`; `None` if all places of its pattern are taken.
    pub(crate) fn take(&self, handlers: &Handlers, name: &str) -> Option<Place<'_>> {
        let rule = handlers.find(name);
        let Some((pattern, limit)) =
            rule.and_then(|(pattern, rule)| Some((pattern, rule.limits.max_concurrency?)))
        else {
            return Some(Place { places: self, pattern: None });
        };
        let mut running = self.running.borrow_mut();
        let count = running.entry(pattern.to_owned()).or_default();
        if *count >= share(limit, self.index, self.drains) {
            return None;
        }
        *count += 1;
        Some(Place { places: self, pattern: Some(pattern.to_owned()) })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(pattern) = &self.pattern
            && let Some(count) = self.places.running.borrow_mut().get_mut(pattern)
        {
            *count = count.saturating_sub(1);
        }
    }
}
