//! The tasks that streams and waits of this instance watch: one read of storage serves all that watch the
//! same task.
//!
//! What is shared are values, never a borrow across an await, and nobody is woken by another request: in a
//! WASI 0.3 instance that would end every request in flight. Who finds a read under way looks again a little
//! later.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use models::TaskId;
use service::env::{Env, Instant};
use storage::{Read, StatusStore, StorageError, StoredDocument};

/// How long to wait before looking again whether another request's read is done, and how often.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
const MOST_LOOKS: u32 = 40;

/// What the last read of a task found.
#[derive(Clone)]
enum Sight {
    Found(Rc<StoredDocument>),
    Missing,
    Failed(StorageError),
}

/// What is known of one watched task.
pub(crate) struct Watched {
    id: TaskId,
    /// A task of the same id and another owner is another task.
    owner: Option<String>,
    sight: RefCell<Sight>,
    /// When the read began that found it.
    seen_at: Cell<Instant>,
    is_reading: Cell<bool>,
}

/// The watched tasks of an instance; entries end with the last request that watches.
#[derive(Default)]
pub(crate) struct Watchers(RefCell<BTreeMap<TaskId, Weak<Watched>>>);

impl Watchers {
    /// Watches the task that was read as `stored` just `now`.
    pub(crate) fn watch(&self, stored: &StoredDocument, now: Instant) -> Rc<Watched> {
        let (id, owner) = (stored.document.task_id, stored.document.owner.clone());
        let sight = Sight::Found(Rc::new(stored.clone()));
        let mut all = self.0.borrow_mut();
        all.retain(|_, watched| watched.strong_count() > 0);
        if let Some(watched) = all.get(&id).and_then(Weak::upgrade).filter(|known| known.owner == owner) {
            watched.note(sight, now);
            return watched;
        }
        let watched = Rc::new(Watched {
            id,
            owner,
            sight: RefCell::new(sight),
            seen_at: Cell::new(now),
            is_reading: Cell::new(false),
        });
        all.insert(id, Rc::downgrade(&watched));
        watched
    }

    /// How many tasks are watched.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.0.borrow().values().filter(|watched| watched.strong_count() > 0).count()
    }
}

impl Watched {
    /// Takes what a read found that began at `began`; one that began before the last that counted may be
    /// older than it and does not count.
    fn note(&self, sight: Sight, began: Instant) {
        // A clock that was set back must not make everything old for ever.
        let is_newer =
            began >= self.seen_at.get() || self.seen_at.get().since(began) > Duration::from_secs(60);
        if is_newer {
            *self.sight.borrow_mut() = sight;
            self.seen_at.set(began);
        }
    }

    /// Whether the last read began less than `age` ago.
    fn is_recent(&self, now: Instant, age: Duration) -> bool {
        now.since(self.seen_at.get()) < age
    }

    /// As [`StatusStore::read`], for a watcher that last looked `age` ago: storage is asked only when nobody
    /// has asked it since.
    pub(crate) async fn look(
        &self,
        store: &dyn StatusStore,
        env: &dyn Env,
        etag: &str,
        age: Duration,
    ) -> Result<Read, StorageError> {
        for _ in 0..MOST_LOOKS {
            if self.is_recent(env.instant(), age) {
                return self.told(etag);
            }
            if !self.is_reading.replace(true) {
                let _reading = Reading(&self.is_reading);
                let known = match &*self.sight.borrow() {
                    Sight::Found(stored) => Some(stored.etag.clone()),
                    Sight::Missing | Sight::Failed(_) => None,
                };
                let began = env.instant();
                let sight = match store.read(self.id, known.as_deref()).await {
                    Ok(Read::Found(stored)) => Sight::Found(Rc::from(stored)),
                    Ok(Read::Unchanged) => self.sight.borrow().clone(),
                    Ok(Read::Missing) => Sight::Missing,
                    Err(error) => Sight::Failed(error),
                };
                self.note(sight, began);
                return self.told(etag);
            }
            env.sleep(LOOK_AGAIN).await;
        }
        self.told(etag)
    }

    /// What is known, for somebody who knows version `etag`.
    fn told(&self, etag: &str) -> Result<Read, StorageError> {
        match &*self.sight.borrow() {
            Sight::Missing => Ok(Read::Missing),
            Sight::Failed(error) => Err(error.clone()),
            Sight::Found(stored) if stored.document.owner != self.owner => Ok(Read::Missing),
            Sight::Found(stored) if stored.etag == etag => Ok(Read::Unchanged),
            Sight::Found(stored) => Ok(Read::Found(Box::new(StoredDocument::clone(stored)))),
        }
    }
}

/// Ends a read, also when its request is dropped in the middle of it.
struct Reading<'a>(&'a Cell<bool>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{TaskRequest, TaskStatus};

    fn stored(etag: &str, owner: Option<&str>) -> StoredDocument {
        let id = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b".parse().unwrap();
        let request = TaskRequest::parse(b"{}").unwrap();
        let now = models::Timestamp::from_unix_millis(0);
        let document = TaskStatus {
            owner: owner.map(str::to_owned),
            ..TaskStatus::accepted(id, request, String::new(), now)
        };
        StoredDocument { document, etag: etag.to_owned() }
    }

    fn at(millis: u64) -> Instant {
        Instant::since_origin(Duration::from_millis(millis))
    }

    #[test]
    fn a_task_is_known_once_while_anybody_watches_it() {
        let watchers = Watchers::default();
        let first = watchers.watch(&stored("1", None), at(0));
        let second = watchers.watch(&stored("2", None), at(10));
        assert!(Rc::ptr_eq(&first, &second) && watchers.count() == 1);
        assert!(matches!(first.told("1"), Ok(Read::Found(found)) if found.etag == "2"));
        drop((first, second));
        assert_eq!(watchers.count(), 0);
    }

    #[test]
    fn an_older_read_that_ends_later_does_not_count() {
        let watchers = Watchers::default();
        let watched = watchers.watch(&stored("2", None), at(100));
        watched.note(Sight::Found(Rc::new(stored("1", None))), at(50));
        assert_eq!(watched.told("2"), Ok(Read::Unchanged));
        watched.note(Sight::Missing, at(150));
        assert_eq!(watched.told("2"), Ok(Read::Missing));
    }

    #[test]
    fn a_task_that_now_belongs_to_another_is_gone() {
        let watchers = Watchers::default();
        let mine = watchers.watch(&stored("1", Some("me")), at(0));
        let yours = watchers.watch(&stored("2", Some("you")), at(10));
        assert!(!Rc::ptr_eq(&mine, &yours));
        mine.note(Sight::Found(Rc::new(stored("2", Some("you")))), at(20));
        assert_eq!(mine.told("1"), Ok(Read::Missing));
    }
}
