//! P15: no worker receives tasks while the queue is paused.

use std::time::Duration;

use crate::call::{Call, QueueKind};
use crate::promise::Promise;
use crate::record::{Record, Role};
use crate::scenario::Op;
use crate::watch::Source;

/// The blob that exists while the queue is paused.
pub const PAUSE_BLOB: &str = "queue-pause";
/// How long after the pause a worker may still request messages: what it read may be 5 s old, and a request that fails is
/// repeated for 30 s.
const MAX_NOTICE: Duration = Duration::from_secs(36);

impl Record {
    /// A blob was written or deleted.
    pub(crate) fn pause_changed(&mut self, from: Source, call: &Call) {
        if call.blob.as_deref() != Some(PAUSE_BLOB) {
            return;
        }
        if call.op == Op::PutAttachment {
            self.count("queue paused");
            self.pause.since.get_or_insert(from.now);
        } else if self.pause.since.take().is_some() {
            self.pause.ended_at = from.now;
        }
    }

    /// A request is about to be sent.
    pub(crate) fn received_despite_pause(&mut self, from: Source, call: &Call) {
        let is_receive = call.op == Op::GetMessages && call.queue == Some(QueueKind::Tasks);
        let Some(since) = self.pause.since.filter(|_| is_receive && from.role == Role::Worker) else {
            return;
        };
        if from.now > since + MAX_NOTICE {
            let what = format!("instance {} receives {:?} after the pause", from.instance, from.now - since);
            self.broken(Promise::P15, from.now, what);
        }
    }
}
