//! The state of every task, message and blob, computed from the requests that had an effect.
//!
//! It is a second, independent model of storage, with which the checks compare what components do.

pub mod announcements;
pub mod events;
pub mod order;
pub mod pause;
pub mod schedules;
pub mod sink;
pub mod slots;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use models::{TaskId, Timestamp};
use serde::Deserialize;

use crate::call::QueueKind;
use crate::promise::{Promise, Violation, clock};
use crate::secrets::Secrets;

/// Number of an instance of a component.
pub type InstanceId = u32;

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An instance of the API.
    Api,
    /// An instance of the worker.
    Worker,
    /// Another writer that has access to storage.
    ExternalWriter,
}

/// The members of a status document that the checks look at. Read apart from `models`, so that a
/// mistake there cannot hide itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    /// 0 to 4.
    pub status: u8,
    /// Whose it is.
    pub task_id: String,
    /// Free text, different in each variant of a submission.
    #[serde(default)]
    pub task_description: Option<String>,
    /// Absent from documents of the .NET side.
    pub created_at: Option<String>,
    /// When a client first asked to cancel.
    pub cancel_requested_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// The receiver of its event.
    pub callback_uri: Option<String>,
    /// How far the delivery of its event is.
    pub callback: Option<events::Callback>,
    /// Whether the events of the task go to the sink.
    #[serde(default)]
    pub sink_events: bool,
    /// How far the delivery of its end to the sink is.
    pub sink: Option<events::Callback>,
    /// When it may be purged.
    pub expires_at: Option<String>,
    /// Not to be started earlier.
    pub not_before: Option<String>,
    /// Not to be started later.
    pub start_by: Option<String>,
    /// No more attempts.
    pub max_attempts: Option<u32>,
    /// Key of which one task at most waits or runs.
    pub unique_key: Option<String>,
    /// No further attempt earlier.
    pub retry_at: Option<String>,
    /// Explicit retries so far.
    #[serde(default)]
    pub generation: u32,
    /// Attempts so far.
    #[serde(default)]
    pub attempt: u32,
    /// Small result.
    pub result: Option<serde_json::Value>,
    /// Large result.
    pub result_blob: Option<ResultBlob>,
    /// Why it failed.
    pub error: Option<serde_json::Value>,
    /// Attempts.
    #[serde(default)]
    pub history: Vec<Attempt>,
}

/// Where a large result is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResultBlob {
    /// Name of the blob.
    pub name: String,
    /// Its size.
    pub size: usize,
}

/// One attempt in a document.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attempt {
    /// How it ended.
    pub outcome: Option<String>,
}

impl Document {
    /// Whether it says that the task has ended.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.status >= 2
    }

    /// Why it failed, as a word.
    #[must_use]
    pub fn error_code(&self) -> &str {
        let code = self.error.as_ref().and_then(|error| error.get("Code")?.as_str());
        code.unwrap_or_default()
    }

    /// The name of the state.
    #[must_use]
    pub fn state(&self) -> &'static str {
        ["Pending", "InProgress", "Completed", "Failed", "Cancelled"]
            .get(usize::from(self.status))
            .copied()
            .unwrap_or("unknown")
    }
}

/// What a status blob holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A document.
    Readable(Box<Document>),
    /// Something else, which another writer put there.
    Unreadable,
}

/// What is known of a task.
#[derive(Debug, Default)]
pub struct Life {
    /// Its status blob.
    pub content: Option<Content>,
    /// When the status blob was created, or the task was asked to be tried again, last.
    pub created_at: Duration,
    /// From when on it may start, in virtual time.
    pub starts_at: Duration,
    /// Another writer wrote the document or a message.
    pub foreign: bool,
    /// The blob was deleted at least once.
    pub deleted: bool,
    /// A message for it was stored since it was created.
    pub message_stored: bool,
    /// API instances that read an ended document after the last message was stored: their response was right
    /// then, also when an explicit retry of another request is between its two writes now.
    pub seen_ended: BTreeSet<InstanceId>,
    /// Variants that got 202 since it was created.
    pub accepted: BTreeSet<u8>,
    /// Explicit retries so far.
    pub retries: u32,
    /// Contents of its result blob when the outcome was recorded.
    pub result: Option<(String, Digest)>,
    /// How often a handler was called for it.
    pub runs: u32,
    /// Attempts that were started since it was accepted or explicitly retried, less those handed back.
    pub counted: u32,
    /// Not to be started later, as its submission said.
    pub start_by: Option<Timestamp>,
    /// No more attempts, as its submission said.
    pub max_attempts: Option<u32>,
    /// A handler has responded that the work is done.
    pub handler_completed: bool,
    /// A handler has responded that the work cannot be done.
    pub handler_failed: bool,
}

impl Life {
    /// The document, when there is a readable one.
    #[must_use]
    pub fn document(&self) -> Option<&Document> {
        match &self.content {
            Some(Content::Readable(document)) => Some(document),
            _ => None,
        }
    }
}

/// Enough of a blob to detect a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Size in bytes.
    pub size: usize,
    /// FNV-1a of its bytes.
    pub hash: u64,
}

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { size: bytes.len(), hash }
    }
}

/// What is known of a message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it is.
    pub queue: QueueKind,
    /// The name of that queue.
    pub queue_name: String,
    /// When it was put.
    pub put_at: Duration,
    /// The task it names.
    pub task: Option<TaskId>,
    /// Whether it carries the sign of our messages.
    pub is_ours: bool,
    /// Whether everything in it can be used.
    pub usable: bool,
    /// Its text.
    pub text: Rc<str>,
    /// When it can be received next, in virtual time (rounded up to the whole seconds of storage).
    pub visible_at: Duration,
    /// When it was received last.
    pub received_at: Duration,
    /// How often it was received.
    pub deliveries: u32,
    /// How many instances crashed while they held it.
    pub kills: u32,
    /// Explicit retries of its task when it was sent.
    pub generation: u32,
    /// Whether it is an [`crate::scenario::Foreign::Deadly`].
    pub deadly: bool,
}

/// One instance's lease of a message.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The task it names.
    pub task: TaskId,
    /// The newest pop receipt in a response to the instance.
    pub receipt: String,
    /// How often this instance has received it.
    pub times: u32,
}

/// Everything observed in one run.
#[derive(Default)]
pub struct Record {
    /// The timeline, line by line; `None` when it is not printed.
    pub trace: Option<Vec<String>>,
    /// Whether all clocks differ by less than the service expects.
    pub clocks_agree: bool,
    /// Whether a clock is set so far ahead that a document just written seems to have been silent for long.
    pub clocks_mislead: bool,
    /// The end of the fault period.
    pub faults_end_at: Duration,
    /// The setting.
    pub max_dequeue_count: u32,
    /// Longest time of one attempt.
    pub task_timeout: Duration,
    /// True time at virtual time zero, in seconds since 1970, when pauses of attempts can be judged to the
    /// second: all clocks are right and no lease ends early.
    pub exact_epoch: Option<i64>,
    /// How long all submitted tasks together work that take hours.
    pub hours: Duration,
    /// How long messages may wait for other tasks of their name, because few of them may run at a time.
    pub waits_for_name: Duration,
    /// When an instance last listed documents for its sweep.
    pub swept_at: BTreeMap<InstanceId, Duration>,
    /// Promises broken so far.
    pub violations: Vec<Violation>,
    /// Tasks by id.
    pub tasks: BTreeMap<TaskId, Life>,
    /// Events of ended tasks.
    pub events: BTreeMap<events::EventKey, events::EventLife>,
    /// Other events of the sink, by their ids.
    pub sink_events: BTreeMap<String, sink::SinkLife>,
    /// Whether there is a sink.
    pub has_sink: bool,
    /// Messages that exist.
    pub messages: BTreeMap<String, Message>,
    /// Workers that each deleted message killed: a copy of it may arrive in the poison queue late.
    pub kills_of_deleted: BTreeMap<String, u32>,
    /// Workers that announced themselves in a message.
    pub announcements: announcements::Announcements,
    /// Ids of messages of which there is a copy in the poison queue.
    pub poisoned: BTreeSet<String>,
    /// Messages in the poison queue, by their ids there: the task that each names, and when it was put or received last.
    pub given_up: BTreeMap<String, (Option<TaskId>, Duration)>,
    /// Events in the poison queue, by their ids there: which one, and when it was put or received last.
    pub given_up_events: BTreeMap<String, (String, Duration)>,
    /// When a message of each event was last put.
    pub events_put_at: BTreeMap<String, Duration>,
    /// The pause of the queue.
    pub pause: pause::Pause,
    /// Schedules of recurring tasks.
    pub schedules: schedules::Schedules,
    /// Whether an operator removes messages from the poison queue in this run.
    pub operator_removes: bool,
    /// Blobs that are not status documents.
    pub attachments: BTreeMap<String, Digest>,
    /// Contents of stored blocks, by the names of the blob and of the block.
    pub parts: BTreeMap<(String, String), Bytes>,
    /// Leases whose loss a response told an instance, until it receives a message of that task again.
    pub lost: BTreeMap<(InstanceId, TaskId), Duration>,
    /// Messages that an instance has received and not seen the end of.
    pub held: BTreeMap<(InstanceId, String), Holding>,
    /// Messages that instances were given and have not deleted since, those that name no task among them.
    pub in_hand: BTreeSet<(InstanceId, String)>,
    /// When a message for the task was last put into the queue.
    pub moved: BTreeMap<(TaskId, QueueKind), Duration>,
    /// Until when writes that storage refused must not be repeated.
    pub told_to_wait: HashMap<(InstanceId, u64), Vec<Duration>>,
    /// Everything that must not be shown.
    pub secrets: Secrets,
    /// Log lines.
    pub logs: Vec<String>,
    /// Handler calls that are going on, by instance.
    pub running: HashMap<InstanceId, usize>,
    /// The slots of the workers.
    pub slots: slots::Slots,
    /// The order in which messages of different priorities are received.
    pub overtaking: order::Overtaking,
    /// Requests by instance in the current second.
    pub rates: HashMap<InstanceId, (u64, u32)>,
    /// Requests in all.
    pub requests: u64,
    /// Number of observations by kind: how much the run has exercised.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Record {
    /// An empty record; with `tracing` it keeps a timeline.
    #[must_use]
    pub fn new(tracing: bool) -> Self {
        Self { trace: tracing.then(Vec::new), clocks_agree: true, max_dequeue_count: 1, ..Self::default() }
    }

    /// Adds a line to the timeline, when there is one.
    pub fn note(&mut self, at: Duration, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{} {}", clock(at), line()));
        }
    }

    /// Counts something seen.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Records that `promise` was broken.
    pub fn broken(&mut self, promise: Promise, at: Duration, what: String) {
        self.note(at, || format!("!! {promise} broken: {what}"));
        // The first few say what happened; a loop would add thousands.
        if self.violations.len() < 20 {
            self.violations.push(Violation { promise, at, what });
        }
    }

    /// Whether the request crashes the instance.
    #[must_use]
    pub fn is_deadly(&self, from: InstanceId, call: &crate::call::Call) -> bool {
        let touches = matches!(call.op, crate::scenario::Op::GetBlob | crate::scenario::Op::PutStatus);
        touches
            && call.task.is_some()
            && self.held.iter().any(|((who, id), holding)| {
                *who == from
                    && Some(holding.task) == call.task
                    && self.messages.get(id).is_some_and(|message| message.deadly)
            })
    }

    /// An instance has crashed. Each message that it held may be the cause.
    pub fn died(&mut self, instance: InstanceId, now: Duration) {
        let in_hand = self.in_hand.iter().filter(|(who, _)| *who == instance);
        for (_, id) in in_hand {
            if let Some(message) = self.messages.get_mut(id).filter(|message| message.visible_at > now) {
                message.kills += 1;
                self.announcements.killed(instance, id);
            }
        }
        self.running.remove(&instance);
    }

    /// A queue was deleted with its messages. Only an event of the sink that is no end has nothing that leads to another one.
    pub(crate) fn queue_lost(&mut self, queue: QueueKind) {
        let lost = self.messages.extract_if(.., |_, message| message.queue == queue);
        let texts: Vec<_> = lost.map(|(_, message)| message.text).collect();
        for text in texts {
            self.sink_message_lost(&text);
            self.event_message_lost(&text);
        }
        if queue == QueueKind::Poison {
            self.given_up.clear();
            self.given_up_events.clear();
        }
    }

    /// What is known of task `id`.
    pub fn life(&mut self, id: TaskId) -> &mut Life {
        self.tasks.entry(id).or_default()
    }

    /// When the next message in one of the working queues can be received.
    #[must_use]
    pub fn next_visible(&self) -> Option<Duration> {
        let working = self.messages.values().filter(|message| message.queue != QueueKind::Poison);
        working.map(|message| message.visible_at).min()
    }

    /// How many messages there still are in the working queues.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.messages.values().filter(|message| message.queue != QueueKind::Poison).count()
    }

    /// From when on the first of the tasks that have not ended may start.
    #[must_use]
    pub fn next_start(&self) -> Option<Duration> {
        let open = |life: &&Life| {
            life.document()
                .is_some_and(|it| (!it.is_terminal() || it.is_event_due()) && it.created_at.is_some())
        };
        self.tasks.values().filter(open).map(|life| life.starts_at).min()
    }

    /// Whether every document that can end has ended.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        self.tasks.values().filter_map(Life::document).all(|document| {
            // A document of the .NET side that no message mentions is not ours to finish.
            document.is_terminal() && !document.is_event_due() || document.created_at.is_none()
        })
    }
}
