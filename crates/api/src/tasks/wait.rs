//! Waiting for a task to change, by reading it again and again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use storage::{Read, StoredDocument};

use crate::http::call::Call;
use crate::http::headers;
use crate::tasks::Tasks;

/// Requests of one instance that may wait at a time; others are answered at once.
const MOST_WAITS: usize = 64;

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The pause between two reads: grows while nothing happens.
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(SHORTEST_PAUSE)
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 3 / 2).min(LONGEST_PAUSE);
        pause
    }
}

/// One of a limited number of places, given back when dropped.
pub(crate) struct Place(Rc<Cell<usize>>);

impl Place {
    /// `None` when all `most` places are taken.
    pub(crate) fn take(taken: &Rc<Cell<usize>>, most: usize) -> Option<Self> {
        if taken.get() >= most {
            return None;
        }
        taken.set(taken.get() + 1);
        Some(Self(Rc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// The task as it stands after `Prefer: wait`, and the wait that was honoured.
pub(crate) async fn after_wait(
    tasks: &Tasks,
    call: &Call,
    stored: StoredDocument,
) -> (StoredDocument, Option<u64>) {
    let Some(seconds) = headers::wait(call.headers()) else { return (stored, None) };
    wait_for_end(tasks, stored, seconds).await
}

/// The task once it is terminal, or as it stands after `seconds`; with the wait that was honoured,
/// `None` when too many others wait. Storage that fails meanwhile ends the wait with what is known.
async fn wait_for_end(
    tasks: &Tasks,
    mut stored: StoredDocument,
    seconds: u64,
) -> (StoredDocument, Option<u64>) {
    let Some(_place) = Place::take(&tasks.waits, MOST_WAITS) else { return (stored, None) };
    let limit = Duration::from_secs(seconds);
    let start = tasks.env.instant();
    let mut pauses = Pauses::new();
    let watched = tasks.watchers.watch(&stored, start);
    while !stored.document.state.is_terminal() {
        let spent = tasks.env.instant().since(start);
        let pause = pauses.next().min(limit.saturating_sub(spent));
        if pause.is_zero() {
            break;
        }
        tasks.env.sleep(pause).await;
        match watched.look(&*tasks.store, &*tasks.env, &stored.etag, pause).await {
            Ok(Read::Found(newer)) => stored = *newer,
            Ok(Read::Unchanged) => {}
            Ok(Read::Missing) | Err(_) => break,
        }
    }
    (stored, Some(seconds))
}
