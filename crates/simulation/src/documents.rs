//! P2 and P4: follows what is written to documents and results.

use std::time::Duration;

use bytes::Bytes;
use models::{TaskId, Timestamp};

use crate::call::Call;
use crate::promise::Promise;
use crate::record::{Content, Digest, Document, Record, Role};
use crate::watch::Source;
use crate::xml::texts;

/// How long a task may take once nothing goes wrong: all its tries with their pauses, and a full pass of
/// the sweep, of which there is one an hour.
const MAX_TIME_TO_END: Duration = Duration::from_secs(3 * 3_600);
/// A sweep whose clock is further off than it expects reads everything once a day.
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// By how much clocks of a scenario may differ at most.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(600);

impl Record {
    pub(crate) fn status_written(&mut self, from: Source, call: &Call, body: &Bytes) {
        let Some(id) = call.task else { return };
        let new: Option<Document> = serde_json::from_slice(body).ok();
        let Some(new) = new else {
            if from.role != Role::ExternalWriter {
                self.broken(Promise::P2, from.now, format!("task {id}: an unreadable document was written"));
            }
            let life = self.life(id);
            life.content = Some(Content::Unreadable);
            life.foreign = true;
            return;
        };
        if from.role == Role::ExternalWriter {
            let life = self.life(id);
            life.content = Some(Content::Readable(Box::new(new)));
            life.foreign = true;
            life.counted = 0;
            return;
        }
        self.count(match new.status {
            0 => "written Pending",
            1 => "written InProgress",
            2 => "written Completed",
            3 => "written Failed",
            _ => "written Cancelled",
        });
        if !call.conditional {
            self.broken(Promise::P2, from.now, format!("task {id}: written without a condition"));
        }
        if !new.task_id.eq_ignore_ascii_case(&id.to_string()) {
            self.broken(
                Promise::P2,
                from.now,
                format!("task {id}: the document of {} was written", new.task_id),
            );
        }
        let old = self.life(id).document().cloned();
        if let Some(old) = &old
            && match from.role {
                Role::Worker => old.differs_only_in_delivery(&new),
                // An operator replays an event.
                _ => old.has_delivery_again(&new),
            }
        {
            self.event_recorded(from.now, id, &new);
            self.life(id).content = Some(Content::Readable(Box::new(new)));
            return;
        }
        if let Some(old) = old.filter(|old| old.created_at.is_some()) {
            self.transition(from, id, &old, &new);
        }
        self.attempts_counted(from, id, &new);
        self.limits_kept(from, id, &new);
        let start = new.not_before.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        let start = start.map(|start| start.since(Timestamp::from_unix_millis(from.epoch * 1_000)));
        self.life(id).starts_at = start.unwrap_or_default();
        if new.is_terminal() {
            self.outcome_recorded(from, id, &new);
            self.in_time(from, id);
            self.ended_with_event(from.now, id, &new);
        }
        let life = self.life(id);
        if life.content.is_none() {
            life.created_at = from.now;
            let is_deleted = life.deleted;
            if new.task_description.as_deref() == Some("of a schedule") {
                self.task_of_schedule(from, id, is_deleted, from.true_time());
            }
        }
        let life = self.life(id);
        life.content = Some(Content::Readable(Box::new(new)));
    }

    /// P9, and P8 for the pause before an attempt: what the document says of attempts is not believed.
    fn attempts_counted(&mut self, from: Source, id: TaskId, new: &Document) {
        let last = new.history.last().and_then(|last| last.outcome.as_deref());
        let epoch = self.exact_epoch;
        let life = self.life(id);
        let old = life.document();
        let (was_running, attempts) = old.map_or((false, 0), |old| (old.status == 1, old.attempt));
        let retry_at = old.and_then(|old| old.retry_at.as_deref()?.parse::<Timestamp>().ok());
        if life.content.is_none() || last == Some("RetryRequested") && new.status == 0 {
            life.counted = 0;
        }
        if new.status == 1 && new.attempt > attempts {
            life.counted += 1;
            let now = epoch.map(|epoch| Timestamp::from_unix_millis(epoch * 1_000).plus(from.now));
            if let (Some(retry_at), Some(now)) = (retry_at, now)
                && now.plus(Duration::from_millis(1_100)) < retry_at
            {
                let early = retry_at.since(now);
                let what = format!("task {id}: an attempt started {early:?} before the pause was over");
                self.broken(Promise::P8, from.now, what);
            }
        } else if new.status == 0 && was_running && last == Some("Released") {
            life.counted = life.counted.saturating_sub(1);
        }
        let counted = self.life(id).counted;
        if new.status == 3 && new.error_code() == "TooManyDeliveries" {
            self.count("given up after too many attempts");
            let most = self.life(id).max_attempts.unwrap_or(u32::MAX).min(self.max_dequeue_count);
            if counted < most {
                let what = format!("task {id}: given up after {counted} attempts, the limit is {most}");
                self.broken(Promise::P9, from.now, what);
            }
        }
    }

    fn transition(&mut self, from: Source, id: TaskId, old: &Document, new: &Document) {
        if old.is_terminal() {
            let asked = new.history.last().and_then(|last| last.outcome.as_deref()) == Some("RetryRequested");
            if from.role == Role::Api && old.status == 3 && new.status == 0 && asked {
                self.count("explicit retry");
                let life = self.life(id);
                life.retries += 1;
                // Messages from before it are not needed any more.
                life.created_at = from.now;
                life.result = None;
                life.message_stored = false;
                return;
            }
            let what = format!("task {id} had ended as {} and was written as {}", old.state(), new.state());
            self.broken(Promise::P2, from.now, what);
        } else if new.generation != old.generation {
            let what = format!("task {id}: messages of generation {} do not count any more", old.generation);
            self.broken(Promise::P2, from.now, what);
        } else if new.attempt < old.attempt {
            let what = format!("task {id}: attempt {} became attempt {}", old.attempt, new.attempt);
            self.broken(Promise::P2, from.now, what);
        }
    }

    /// P2: what has an end must reach it in bounded time.
    fn in_time(&mut self, from: Source, id: TaskId) {
        // An attempt that a fault ended is made again, and tasks of hours wait for each other when all slots are taken.
        let way = MAX_TIME_TO_END + 2 * self.task_timeout + self.hours;
        let way = if self.clocks_agree { way } else { way + DAY };
        let due = self.life(id).starts_at.max(self.faults_end_at) + way;
        if from.now > due {
            let late = from.now - due + way;
            self.broken(
                Promise::P2,
                from.now,
                format!("task {id} ended only {late:?} after nothing went wrong any more"),
            );
        }
    }

    fn outcome_recorded(&mut self, from: Source, id: TaskId, new: &Document) {
        if let Some(owner) =
            new.result.as_ref().and_then(|result| result.get("task")).and_then(|task| task.as_str())
            && owner != id.to_string()
        {
            self.broken(Promise::P4, from.now, format!("task {id} has the result of task {owner}"));
        }
        if new.status != 2 && (new.result.is_some() || new.result_blob.is_some()) {
            self.broken(Promise::P4, from.now, format!("task {id} is {} and has a result", new.state()));
        }
        if new.status == 3 && new.error.is_none() {
            self.broken(Promise::P2, from.now, format!("task {id} failed without saying why"));
        }
        let Some(blob) = &new.result_blob else { return };
        match self.attachments.get(&blob.name).copied() {
            Some(digest) if digest.size == blob.size => {
                self.life(id).result = Some((blob.name.clone(), digest));
            }
            Some(digest) => {
                let what = format!("task {id}: result of {} bytes, blob of {}", blob.size, digest.size);
                self.broken(Promise::P4, from.now, what);
            }
            None => self.broken(
                Promise::P4,
                from.now,
                format!("task {id}: completed before its result was stored"),
            ),
        }
    }

    pub(crate) fn attachment_written(&mut self, from: Source, call: &Call, body: &Bytes) {
        let Some(name) = call.blob.clone() else { return };
        let digest = Digest::of(body);
        self.attachments.insert(name.clone(), digest);
        let overwritten = self.tasks.iter().find_map(|(id, life)| {
            let (of, was) = life.result.as_ref()?;
            (*of == name && *was != digest).then_some(*id)
        });
        if let Some(id) = overwritten {
            self.broken(Promise::P4, from.now, format!("task {id}: its result was written again"));
        }
    }

    pub(crate) fn part_written(&mut self, call: &Call, body: &Bytes) {
        let (Some(name), Some(block)) = (call.blob.clone(), call.block.clone()) else { return };
        self.parts.insert((name, block), body.clone());
    }

    pub(crate) fn parts_joined(&mut self, from: Source, call: &Call, list: &Bytes) {
        let Some(name) = call.blob.clone() else { return };
        let mut whole = Vec::new();
        for block in texts(list, "Latest") {
            match self.parts.get(&(name.clone(), block)) {
                Some(part) => whole.extend_from_slice(part),
                None => self.broken(
                    Promise::P4,
                    from.now,
                    format!("{name}: a part was joined that was not stored"),
                ),
            }
        }
        self.count("result stored in parts");
        self.attachment_written(from, call, &whole.into());
    }

    pub(crate) fn blob_deleted(&mut self, from: Source, call: &Call) {
        let Some(name) = &call.blob else { return };
        let Some(id) = call.task else {
            self.attachments.remove(name);
            let owner = self.tasks.iter().find_map(|(id, life)| {
                let of = &life.result.as_ref()?.0;
                (of == name && life.content.is_some()).then_some(*id)
            });
            // A deletion takes the result first, so that nothing is left over when it is interrupted.
            if let Some(id) = owner {
                self.count("result deleted");
                let due = self.is_expired(from, id);
                self.life(id).result = None;
                if from.role == Role::Worker && !due {
                    self.broken(Promise::P4, from.now, format!("task {id} stays and its result was deleted"));
                }
            }
            return;
        };
        let due = self.is_expired(from, id);
        let life = self.life(id);
        let running = life.document().is_some_and(|document| !document.is_terminal());
        life.content = None;
        life.deleted = true;
        life.message_stored = false;
        life.accepted.clear();
        life.result = None;
        self.count("document deleted");
        if running && from.role != Role::ExternalWriter {
            self.broken(Promise::P2, from.now, format!("task {id} was deleted before it ended"));
        }
        if from.role == Role::Worker {
            self.count("document purged");
            if !due {
                self.broken(Promise::P2, from.now, format!("task {id} was purged before its time"));
            }
        }
    }

    /// Whether the document says that the task may be purged.
    fn is_expired(&mut self, from: Source, id: TaskId) -> bool {
        // Clocks may differ by minutes; retention is counted in days.
        let latest = Timestamp::from_unix_millis(from.epoch * 1_000).plus(from.now + MAX_CLOCK_DIFFERENCE);
        let expires = self.life(id).document().and_then(|document| document.expires_at.clone());
        expires.and_then(|text| text.parse::<Timestamp>().ok()).is_some_and(|expires| expires <= latest)
    }
}
