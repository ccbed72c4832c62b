use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use azure::{Error, Queue, Secret, TimeToLive};
use models::Timestamp;

use super::account::Account;
use super::error::is_missing;
use crate::{
    LeaseLost, MonitoredQueue, PeekedMessage, QueueName, ReceivedMessage, StorageError, StorageFuture,
    TaskQueue, TaskReceiver,
};

/// The queues: `{queue}`, `{queue}-scheduled`, `{queue}-events`, `{queue}-poison`, and with `priority_queues`
/// `{queue}-high` and `{queue}-low`.
pub(crate) struct StorageQueues {
    account: Rc<Account>,
    tasks: String,
    high: String,
    low: String,
    scheduled: String,
    events: String,
    poison: String,
}

impl StorageQueues {
    pub(super) fn new(account: Rc<Account>, name: &str, priority_queues: bool) -> Self {
        let of_priority =
            |suffix: &str| if priority_queues { format!("{name}{suffix}") } else { name.to_owned() };
        Self {
            account,
            tasks: name.to_owned(),
            high: of_priority("-high"),
            low: of_priority("-low"),
            scheduled: format!("{name}-scheduled"),
            events: format!("{name}-events"),
            poison: format!("{name}-poison"),
        }
    }

    fn queue(&self, queue: QueueName) -> Queue {
        let name = match queue {
            QueueName::Tasks => &self.tasks,
            QueueName::High => &self.high,
            QueueName::Low => &self.low,
            QueueName::Scheduled => &self.scheduled,
            QueueName::Events => &self.events,
            QueueName::Poison => &self.poison,
        };
        self.account.storage.queue(name)
    }

    /// The outcome of a read. A queue that does not exist yet is empty.
    fn read<T: Default>(&self, outcome: Result<T, Error>) -> Result<T, StorageError> {
        match outcome {
            Err(error) if is_missing(&error) => Ok(T::default()),
            outcome => outcome.map_err(|error| self.account.error(&error)),
        }
    }

    /// The outcome of an operation that needs the lease. If the queue does not exist, the lease is lost.
    fn with_lease<T>(
        &self,
        outcome: Result<Result<T, LeaseLost>, Error>,
    ) -> Result<Result<T, LeaseLost>, StorageError> {
        match outcome {
            Err(error) if is_missing(&error) => Ok(Err(LeaseLost)),
            outcome => outcome.map_err(|error| self.account.error(&error)),
        }
    }
}

/// Escapes the two characters that JSON allows and XML does not: the message is sent within XML. They only occur in JSON
/// strings, where the escape is equivalent.
fn for_xml(json: &str) -> Cow<'_, str> {
    // One search for each: a search for one character is by bytes.
    if json.contains('\u{fffe}') || json.contains('\u{ffff}') {
        json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff").into()
    } else {
        json.into()
    }
}

fn received_message(queue: QueueName, message: azure::ReceivedMessage) -> ReceivedMessage {
    ReceivedMessage {
        queue,
        message_id: message.message_id,
        pop_receipt: message.pop_receipt.expose().to_owned(),
        dequeue_count: message.dequeue_count,
        inserted_at: message.inserted_at.into(),
        next_visible_at: message.next_visible_at.into(),
        text: message.text,
    }
}

impl TaskQueue for StorageQueues {
    fn send<'a>(&'a self, queue: QueueName, text: &'a str, delay: Duration) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            let queue = self.queue(queue);
            let text = for_xml(text);
            let mut outcome = queue.send(&text, delay, TimeToLive::Forever).await;
            if outcome.as_ref().is_err_and(is_missing) {
                queue.create().await.map_err(|error| self.account.error(&error))?;
                outcome = queue.send(&text, delay, TimeToLive::Forever).await;
            }
            outcome.map_err(|error| self.account.error(&error))
        })
    }
}

impl MonitoredQueue for StorageQueues {
    fn depth(&self, queue: QueueName) -> StorageFuture<'_, u64> {
        Box::pin(async move {
            let outcome = self.queue(queue).approximate_count().await;
            self.read(outcome)
        })
    }

    fn oldest(&self, queue: QueueName) -> StorageFuture<'_, Option<Timestamp>> {
        Box::pin(async move {
            let outcome = self.queue(queue).peek(azure::MAX_MESSAGES).await;
            let messages = self.read(outcome)?;
            Ok(messages.into_iter().map(|message| message.inserted_at.into()).min())
        })
    }

    fn peek(&self, queue: QueueName) -> StorageFuture<'_, Vec<PeekedMessage>> {
        Box::pin(async move {
            let outcome = self.queue(queue).peek(azure::MAX_MESSAGES).await;
            let messages = self.read(outcome)?.into_iter();
            Ok(messages
                .map(|message| PeekedMessage {
                    message_id: message.message_id,
                    inserted_at: message.inserted_at.into(),
                    text: message.text,
                })
                .collect())
        })
    }
}

impl TaskReceiver for StorageQueues {
    fn receive(
        &self,
        name: QueueName,
        count: u32,
        visibility: Duration,
    ) -> StorageFuture<'_, Vec<ReceivedMessage>> {
        Box::pin(async move {
            let queue = self.queue(name);
            let mut outcome = queue.get(count, visibility).await;
            if outcome.as_ref().is_err_and(is_missing) {
                queue.create().await.map_err(|error| self.account.error(&error))?;
                outcome = queue.get(count, visibility).await;
            }
            let messages = outcome.map_err(|error| self.account.error(&error))?;
            Ok(messages.into_iter().map(|message| received_message(name, message)).collect())
        })
    }

    fn update<'a>(
        &'a self,
        message: &'a ReceivedMessage,
        visibility: Duration,
        text: Option<&'a str>,
    ) -> StorageFuture<'a, Result<String, LeaseLost>> {
        Box::pin(async move {
            let receipt = Secret::new(message.pop_receipt.as_str());
            let text = text.map(for_xml);
            let queue = self.queue(message.queue);
            let outcome = queue.update(&message.message_id, &receipt, visibility, text.as_deref()).await;
            Ok(self.with_lease(outcome)?.map(|lease| lease.pop_receipt.expose().to_owned()))
        })
    }

    fn delete<'a>(&'a self, message: &'a ReceivedMessage) -> StorageFuture<'a, Result<(), LeaseLost>> {
        Box::pin(async move {
            let receipt = Secret::new(message.pop_receipt.as_str());
            let outcome = self.queue(message.queue).delete(&message.message_id, &receipt).await;
            self.with_lease(outcome)
        })
    }
}
