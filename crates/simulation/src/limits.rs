//! P5 and P8 for what a submission asks for: a unique key, a time to start by, a number of attempts.

use std::time::Duration;

use models::{TaskId, Timestamp};

use crate::promise::Promise;
use crate::record::{Document, Life, Record};
use crate::watch::Source;

/// Storage tells times in whole seconds.
const ROUNDING: Duration = Duration::from_secs(2);

impl Record {
    /// P5: of the tasks with one unique key, one at most waits or runs. Judged when a message is stored: only then does
    /// a task run.
    pub(crate) fn one_task_per_key(&mut self, from: Source, id: TaskId) {
        let life = self.life(id);
        let Some(key) = held_key(life).map(str::to_owned) else { return };
        let is_other = |(other, life): &(&TaskId, &Life)| {
            **other != id && life.message_stored && held_key(life) == Some(&*key)
        };
        let other = self.tasks.iter().find(is_other).map(|(other, _)| *other);
        self.count("message of a unique task");
        if let Some(other) = other {
            let text = format!("tasks {id} and {other} have the same unique key and both wait or run");
            self.broken(Promise::P5, from.now, text);
        }
    }

    /// P8: a worker starts no task after the time in its submission, and no more attempts than it allows. What the
    /// document says later is not believed.
    pub(crate) fn limits_kept(&mut self, from: Source, id: TaskId, new: &Document) {
        let storage_now = Timestamp::from_unix_millis(from.epoch * 1_000).plus(from.now);
        let received = self.held.iter().filter(|((who, _), held)| *who == from.instance && held.task == id);
        let received = received.filter_map(|((_, message), _)| Some(self.messages.get(message)?.received_at));
        let received = received.min().map(|at| Timestamp::from_unix_millis(from.epoch * 1_000).plus(at));
        let life = self.life(id);
        let (is_first, is_foreign) = (life.content.is_none(), life.foreign);
        if is_first {
            life.start_by = new.start_by.as_deref().and_then(|text| text.parse().ok());
            life.max_attempts = new.max_attempts;
        }
        let (start_by, max_attempts, counted) = (life.start_by, life.max_attempts, life.counted);
        let was_started = life.document().is_some_and(|old| old.attempt > 0);
        if is_foreign {
            return;
        }
        if let (Some(start_by), Some(received)) = (start_by, received)
            && new.status == 1
            && !was_started
            && received > start_by.plus(ROUNDING)
        {
            let late = received.since(start_by);
            self.broken(Promise::P8, from.now, format!("task {id} started {late:?} after it had expired"));
        }
        if new.status == 4 && new.error_code() == "Expired" {
            self.count("expired");
            if was_started || start_by.is_none_or(|start_by| storage_now.plus(ROUNDING) < start_by) {
                self.broken(Promise::P2, from.now, format!("task {id} expired before its time"));
            }
        }
        if new.status == 1 && max_attempts.is_some_and(|max| counted > max) {
            self.broken(Promise::P8, from.now, format!("task {id} has started {counted} attempts"));
        }
    }
}

/// The key of a task that waits or runs. An explicit retry is no submission, and a deleted task has given its key back.
fn held_key(life: &Life) -> Option<&str> {
    let is_clean = !life.foreign && !life.deleted && life.retries == 0;
    let document = life.document().filter(|document| is_clean && !document.is_terminal())?;
    document.unique_key.as_deref()
}
