//! A cache of one value with a time to live.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use service::env::Instant;

/// One value and when it was fetched. While one request fetches it again, other requests get the old value.
pub(crate) struct TtlCache<T> {
    value: RefCell<Option<(T, Instant)>>,
    is_fetching: Cell<bool>,
}

impl<T: Clone> TtlCache<T> {
    pub(crate) fn new() -> Self {
        Self { value: RefCell::new(None), is_fetching: Cell::new(false) }
    }

    /// Returns the cached value if it is younger than `ttl`. Never fetches.
    pub(crate) fn cached(&self, now: Instant, ttl: Duration) -> Option<T> {
        let value = self.value.borrow();
        let (value, fetched_at) = value.as_ref()?;
        (now.since(*fetched_at) < ttl).then(|| value.clone())
    }

    /// Returns the cached value if it is younger than `ttl`, otherwise the fetched one. While another request
    /// fetches, returns the old value, or `None` if there is none yet.
    pub(crate) async fn get(
        &self,
        now: impl Fn() -> Instant,
        ttl: Duration,
        fetch: impl Future<Output = T>,
    ) -> Option<T> {
        if let Some(value) = self.cached(now(), ttl) {
            return Some(value);
        }
        if self.is_fetching.replace(true) {
            return self.value.borrow().as_ref().map(|(value, _)| value.clone());
        }
        let _guard = FetchGuard(&self.is_fetching);
        let value = fetch.await;
        *self.value.borrow_mut() = Some((value.clone(), now()));
        Some(value)
    }
}

/// Resets the flag when the fetch ends or its request is dropped.
struct FetchGuard<'a>(&'a Cell<bool>);

impl Drop for FetchGuard<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
