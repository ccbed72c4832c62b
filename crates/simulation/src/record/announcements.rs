//! P9: what becomes of workers that announce themselves in a message before they read it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};

use super::InstanceId;
use crate::call::{Call, QueueKind};
use crate::scenario::Op;
use crate::xml::text;

/// Announcements that were not ended, by message and delivery.
#[derive(Debug, Default)]
pub struct Announcements(BTreeMap<(String, u64), Announcement>);

#[derive(Debug)]
struct Announcement {
    by: InstanceId,
    /// Whether the latest update of the message by that worker was confirmed. Otherwise it may have lost its lease, and cannot
    /// note that it has survived. A deletion that was not confirmed is the same.
    is_confirmed: bool,
}

impl Announcements {
    fn latest(&mut self, by: InstanceId, message: &str) -> Option<(u64, &mut Announcement)> {
        let range = (message.to_owned(), 0)..=(message.to_owned(), u64::MAX);
        let of_message = self.0.range_mut(range).rev();
        of_message.map(|((_, delivery), it)| (*delivery, it)).find(|(_, it)| it.by == by)
    }

    /// A worker is about to update or delete a message.
    pub(crate) fn asked(&mut self, by: InstanceId, call: &Call, request: &Request<Bytes>) {
        let is_announcement = note_of(request.body()).is_some_and(|(_, lost)| lost > 0);
        if let (Some(message), false) = (changed(call), is_announcement)
            && let Some((_, latest)) = self.latest(by, message)
        {
            latest.is_confirmed = false;
        }
    }

    /// A message was updated.
    pub(crate) fn updated(&mut self, by: InstanceId, call: &Call, request: &Bytes) {
        let (Some(message), Some((delivery, lost))) = (changed(call), note_of(request)) else { return };
        if lost > 0 {
            let announcement = Announcement { by, is_confirmed: false };
            self.0.insert((message.to_owned(), delivery), announcement);
        } else {
            self.0.retain(|(id, _), _| id != message);
        }
    }

    /// The response to an update reached the worker.
    pub(crate) fn told(&mut self, by: InstanceId, call: &Call, response: &Response<Bytes>) {
        if let Some(message) = changed(call).filter(|_| response.status() == 204)
            && let Some((_, latest)) = self.latest(by, message)
        {
            latest.is_confirmed = true;
        }
    }

    /// The worker crashed while it held the message.
    pub(crate) fn killed(&mut self, instance: InstanceId, message: &str) {
        if let Some((delivery, _)) = self.latest(instance, message) {
            self.0.remove(&(message.to_owned(), delivery));
        }
    }

    /// How many workers announced themselves in the message, live, and could not note it.
    pub(crate) fn cut_off(&self, message: &str) -> u32 {
        let of_message = self.0.iter().filter(|((id, _), it)| id == message && !it.is_confirmed);
        u32::try_from(of_message.count()).unwrap_or(u32::MAX)
    }
}

fn changed(call: &Call) -> Option<&str> {
    let is_change = matches!(call.op, Op::UpdateMessage | Op::DeleteMessage);
    call.message.as_deref().filter(|_| is_change && call.queue == Some(QueueKind::Tasks))
}

/// What an update notes in a message: the delivery, and how many workers may have been lost.
pub(crate) fn note_of(request: &Bytes) -> Option<(u64, u64)> {
    let noted: serde_json::Value = serde_json::from_str(&text(request, "MessageText")).ok()?;
    let number = |name: &str| noted.get(name).and_then(serde_json::Value::as_u64);
    Some((number("NotedDelivery")?, number("LostWorkers").unwrap_or(0)))
}
