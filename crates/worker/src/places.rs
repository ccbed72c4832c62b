//! The places of one drain for tasks whose name has a limit of its own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use http::HeaderMap;
use lifecycle::handlers::Handlers;
use lifecycle::handlers::slots::share;

use crate::engine::Engine;

/// How long a delivery waits in its drain for a place. Tasks that end sooner follow each other without a pause; for others the
/// message is hidden.
const WAIT: Duration = Duration::from_secs(2);
/// Deliveries that wait for a place occupy at most one of so many slots, which tasks of other names could use.
const SLOTS_PER_WAIT: usize = 4;

/// The tasks of each limited pattern that run in one drain.
pub(crate) struct Places {
    /// Which of the drains of the replica this is.
    index: usize,
    drains: usize,
    running: RefCell<BTreeMap<String, usize>>,
    waiting: Cell<usize>,
    /// Deliveries that are told when a place is free.
    waiters: RefCell<Vec<oneshot::Sender<()>>>,
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
        Self {
            index,
            drains,
            running: RefCell::default(),
            waiting: Cell::default(),
            waiters: RefCell::default(),
        }
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

    /// Resolves when a place of any pattern is free.
    fn next_freed(&self) -> oneshot::Receiver<()> {
        let (waiter, freed) = oneshot::channel();
        let mut waiters = self.waiters.borrow_mut();
        waiters.retain(|waiter| !waiter.is_canceled());
        waiters.push(waiter);
        freed
    }

    /// Takes a place as soon as one is free; `None` if that takes too long, or other deliveries wait already.
    pub(crate) async fn wait(&self, engine: &Engine, name: &str) -> Option<Place<'_>> {
        let handlers = &engine.settings.handlers;
        let limit = handlers.find(name).and_then(|(_, rule)| rule.limits.max_concurrency);
        let is_without_share = limit.is_some_and(|limit| share(limit, self.index, self.drains) == 0);
        if is_without_share || self.waiting.get() >= engine.settings.max_concurrency / SLOTS_PER_WAIT {
            return None;
        }
        self.waiting.set(self.waiting.get() + 1);
        let _waiting = Waiting(&self.waiting);
        // The lease has to last for the delivery that follows.
        let mut end = engine.env.sleep(WAIT.min(engine.policy.visibility / 4));
        loop {
            let freed = self.next_freed();
            match select(freed, end).await {
                Either::Left((_, rest)) => end = rest,
                Either::Right(_) => return None,
            }
            if let Some(place) = self.take(handlers, name) {
                return Some(place);
            }
        }
    }
}

/// Counts a waiting delivery until it is dropped.
struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(pattern) = &self.pattern
            && let Some(count) = self.places.running.borrow_mut().get_mut(pattern)
        {
            *count = count.saturating_sub(1);
            // All, because they may wait for places of different patterns.
            for waiter in self.places.waiters.take() {
                // A delivery that waits no more has dropped its end.
                let _ = waiter.send(());
            }
        }
    }
}
