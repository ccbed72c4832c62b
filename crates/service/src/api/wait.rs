//! Waiting for a task to change, by reading it again and again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::tasks::Tasks;
use crate::env::Env;
use crate::storage::{Read, StatusStore, Stored, TaskQueue};

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

impl<E: Env, S: StatusStore, Q: TaskQueue> Tasks<E, S, Q> {
    /// The task once it is terminal, or as it stands after `seconds`; with the wait that was honoured,
    /// `None` when too many others wait. Storage that fails meanwhile ends the wait with what is known.
    pub(crate) async fn wait_for_end(&self, mut stored: Stored, seconds: u64) -> (Stored, Option<u64>) {
        let Some(_place) = Place::take(&self.waits, MOST_WAITS) else { return (stored, None) };
        let limit = Duration::from_secs(seconds);
        let start = self.env.instant();
        let mut pauses = Pauses::new();
        let watched = self.watchers.watch(&stored, start);
        while !stored.document.state.is_terminal() {
            let spent = self.env.instant().since(start);
            let pause = pauses.next().min(limit.saturating_sub(spent));
            if pause.is_zero() {
                break;
            }
            self.env.sleep(pause).await;
            match self.look(&watched, &stored.etag, pause).await {
                Ok(Read::Found(newer)) => stored = *newer,
                Ok(Read::Unchanged) => {}
                Ok(Read::Missing) | Err(_) => break,
            }
        }
        (stored, Some(seconds))
    }
}
