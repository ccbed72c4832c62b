//! Shared reads: the event streams and long polls of one instance that follow the same task share its reads of
//! storage.
//!
//! They share values, never a borrow across an await, and no request wakes another one: in a WASI 0.3 instance
//! that would end every request in flight. A request that finds a read in progress sleeps and checks again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use models::TaskId;

use service::env::{Env, Instant};
use storage::{Read, StatusStore, StorageError, StoredDocument};

/// The shortest and the longest pause between two reads of a task.
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Pause before checking again whether the read of another request has ended.
const RECHECK_INTERVAL: Duration = Duration::from_millis(25);

/// Checks before a request uses the previous outcome: one second in total.
const MAX_RECHECKS: u32 = 40;

/// Outcome of the last read of a task.
#[derive(Clone)]
enum LastRead {
    Found(Rc<StoredDocument>),
    Missing,
    Failed(StorageError),
}

impl LastRead {
    fn etag(&self) -> Option<&str> {
        match self {
            Self::Found(stored) => Some(&stored.etag),
            Self::Missing | Self::Failed(_) => None,
        }
    }
}

/// The reads of one task.
pub(crate) struct SharedRead {
    id: TaskId,
    /// A task with the same id and another owner is another task.
    owner: Option<String>,
    last: RefCell<LastRead>,
    /// When the read began whose outcome is `last`.
    began_at: Cell<Instant>,
    /// When the read began that first returned this version.
    changed_at: Cell<Instant>,
    is_reading: Cell<bool>,
}

/// The shared reads of one instance. An entry is dropped together with the last request that uses it.
#[derive(Default)]
pub(crate) struct SharedReads(RefCell<BTreeMap<TaskId, Weak<SharedRead>>>);

impl SharedReads {
    /// Joins the reads of the task that the caller has just read as `stored`.
    pub(crate) fn join(&self, stored: &StoredDocument, now: Instant) -> Rc<SharedRead> {
        let (id, owner) = (stored.document.task_id, stored.document.owner.clone());
        let last = LastRead::Found(Rc::new(stored.clone()));
        let mut all = self.0.borrow_mut();
        all.retain(|_, reads| reads.strong_count() > 0);
        if let Some(reads) = all.get(&id).and_then(Weak::upgrade).filter(|reads| reads.owner == owner) {
            reads.record(last, now);
            return reads;
        }
        let reads = Rc::new(SharedRead {
            id,
            owner,
            last: RefCell::new(last),
            began_at: Cell::new(now),
            changed_at: Cell::new(now),
            is_reading: Cell::new(false),
        });
        all.insert(id, Rc::downgrade(&reads));
        reads
    }

    /// Number of tasks that are followed.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.0.borrow().values().filter(|reads| reads.strong_count() > 0).count()
    }
}

impl SharedRead {
    /// Records the outcome of a read that began at `began`. Ignores it if the recorded read began later,
    /// because it may be older.
    fn record(&self, last: LastRead, began: Instant) {
        // After a clock was set back, every read would look older than the recorded one.
        let is_newer =
            began >= self.began_at.get() || self.began_at.get().since(began) > Duration::from_secs(60);
        if is_newer {
            if matches!((&*self.last.borrow(), &last), (LastRead::Found(old), LastRead::Found(new)) if old.etag != new.etag)
            {
                self.changed_at.set(began);
            }
            *self.last.borrow_mut() = last;
            self.began_at.set(began);
        }
    }

    /// How long to wait before the next read. It grows by half with each read as long as the task does not change, so that
    /// short tasks are followed closely and long ones cost little. It belongs to the task, not to the request: a request
    /// that joins later does not cause more reads.
    pub(crate) fn pause(&self, now: Instant) -> Duration {
        (MIN_PAUSE + now.since(self.changed_at.get()) / 2).min(MAX_PAUSE)
    }

    /// Whether the last read began less than `age` ago.
    fn is_recent(&self, now: Instant, age: Duration) -> bool {
        now.since(self.began_at.get()) < age
    }

    /// Reads like [`StatusStore::read`] for a caller that knows the version `etag`. Uses the last outcome if
    /// its read began less than `max_age` ago.
    pub(crate) async fn read(
        &self,
        store: &dyn StatusStore,
        env: &dyn Env,
        etag: &str,
        max_age: Duration,
    ) -> Result<Read, StorageError> {
        for _ in 0..MAX_RECHECKS {
            if self.is_recent(env.instant(), max_age) {
                return self.last_read(etag);
            }
            if !self.is_reading.replace(true) {
                let _guard = ReadGuard(&self.is_reading);
                let known = self.last.borrow().etag().map(str::to_owned);
                let began = env.instant();
                let last = match store.read(self.id, known.as_deref()).await {
                    Ok(Read::Found(stored)) => LastRead::Found(Rc::from(stored)),
                    Ok(Read::Unchanged) => self.last.borrow().clone(),
                    Ok(Read::Missing) => LastRead::Missing,
                    Err(error) => LastRead::Failed(error),
                };
                self.record(last, began);
                return self.last_read(etag);
            }
            env.sleep(RECHECK_INTERVAL).await;
        }
        self.last_read(etag)
    }

    /// The last outcome for a caller that knows the version `etag`.
    fn last_read(&self, etag: &str) -> Result<Read, StorageError> {
        match &*self.last.borrow() {
            LastRead::Missing => Ok(Read::Missing),
            LastRead::Failed(error) => Err(error.clone()),
            LastRead::Found(stored) if stored.document.owner != self.owner => Ok(Read::Missing),
            LastRead::Found(stored) if stored.etag == etag => Ok(Read::Unchanged),
            LastRead::Found(stored) => Ok(Read::Found(Box::new(StoredDocument::clone(stored)))),
        }
    }
}

/// Resets the flag when the read ends or its request is dropped.
struct ReadGuard<'a>(&'a Cell<bool>);

impl Drop for ReadGuard<'_> {
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
    fn readers_of_one_task_share_an_entry() {
        let reads = SharedReads::default();
        let first = reads.join(&stored("1", None), at(0));
        let second = reads.join(&stored("2", None), at(10));
        assert!(Rc::ptr_eq(&first, &second) && reads.count() == 1);
        assert!(matches!(first.last_read("1"), Ok(Read::Found(found)) if found.etag == "2"));
        drop((first, second));
        assert_eq!(reads.count(), 0);
    }

    #[test]
    fn outcome_of_an_older_read_is_ignored() {
        let reads = SharedReads::default();
        let read = reads.join(&stored("2", None), at(100));
        read.record(LastRead::Found(Rc::new(stored("1", None))), at(50));
        assert_eq!(read.last_read("2"), Ok(Read::Unchanged));
        read.record(LastRead::Missing, at(150));
        assert_eq!(read.last_read("2"), Ok(Read::Missing));
    }

    #[test]
    fn pause_grows_until_the_task_changes() {
        let reads = SharedReads::default();
        let read = reads.join(&stored("1", None), at(1_000));
        let pauses = [1_000, 1_100, 1_250, 1_475, 9_000].map(|now| read.pause(at(now)).as_millis());
        assert_eq!(pauses, [100, 150, 225, 337, 1_000]);
        reads.join(&stored("1", None), at(9_000));
        assert_eq!(read.pause(at(9_000)), MAX_PAUSE, "a request that joins does not shorten it");
        read.record(LastRead::Found(Rc::new(stored("2", None))), at(10_000));
        assert_eq!(read.pause(at(10_000)), MIN_PAUSE);
    }

    #[test]
    fn task_of_another_owner_is_missing() {
        let reads = SharedReads::default();
        let mine = reads.join(&stored("1", Some("me")), at(0));
        let yours = reads.join(&stored("2", Some("you")), at(10));
        assert!(!Rc::ptr_eq(&mine, &yours));
        mine.record(LastRead::Found(Rc::new(stored("2", Some("you")))), at(20));
        assert_eq!(mine.last_read("1"), Ok(Read::Missing));
    }
}
