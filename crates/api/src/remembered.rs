//! A value that is asked for at most once in a while.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use service::env::Instant;

/// What was last learned, and when. While one request asks again, the others use the old value.
pub(crate) struct Remembered<T> {
    value: RefCell<Option<(T, Instant)>>,
    asking: Cell<bool>,
}

impl<T: Clone> Remembered<T> {
    pub(crate) fn new() -> Self {
        Self { value: RefCell::new(None), asking: Cell::new(false) }
    }

    /// The value, when it is not older than `age`.
    pub(crate) fn known(&self, now: Instant, age: Duration) -> Option<T> {
        let value = self.value.borrow();
        let (value, learned) = value.as_ref()?;
        (now.since(*learned) < age).then(|| value.clone())
    }

    /// The value, asked for when it is older than `age`. `None` when nothing is known and another request
    /// is asking already.
    pub(crate) async fn get(
        &self,
        now: impl Fn() -> Instant,
        age: Duration,
        ask: impl Future<Output = T>,
    ) -> Option<T> {
        if let Some(value) = self.known(now(), age) {
            return Some(value);
        }
        if self.asking.replace(true) {
            return self.value.borrow().as_ref().map(|(value, _)| value.clone());
        }
        let _asking = Asking(&self.asking);
        let value = ask.await;
        *self.value.borrow_mut() = Some((value.clone(), now()));
        Some(value)
    }
}

/// Ends the asking, also when the request is dropped in the middle of it.
struct Asking<'a>(&'a Cell<bool>);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
