//! A started attempt: its message, its document and its times.

use lifecycle::Policy;
use lifecycle::retention::result_name;
use models::{DeliveryId, milliseconds};
use service::env::Instant;
use service::log::{Level, Line};
use storage::{ReceivedMessage, StoredDocument};

use crate::engine::Engine;
use crate::events::Owed;
use crate::outcome::DeliveryOutcome;

/// A started attempt.
pub(crate) struct Attempt<'a> {
    pub(crate) engine: &'a Engine,
    /// The policy of the task's name, with the limits of the task.
    pub(crate) policy: Policy,
    /// The message, with the latest pop receipt.
    pub(crate) message: ReceivedMessage,
    /// The delivery that started the attempt.
    pub(crate) id: DeliveryId,
    /// The document as this attempt last read or wrote it.
    pub(crate) stored: StoredDocument,
    /// The number of the attempt. No other attempt of the task has it.
    pub(crate) number: u32,
    pub(crate) started_at: Instant,
    /// When the current lease began, or slightly earlier.
    pub(crate) leased_since: Instant,
    /// Events of the sink that are still to be put.
    pub(crate) owed: Owed,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        message: ReceivedMessage,
        id: DeliveryId,
        stored: StoredDocument,
        leased_since: Instant,
        owed: Owed,
    ) -> Self {
        let (number, started_at) = (stored.document.attempt, engine.env.instant());
        let policy = engine.policy_of(&stored.document.task_name).for_task(&stored.document);
        Self { engine, policy, message, id, stored, number, started_at, leased_since, owed }
    }

    /// Returns the name of the blob for this attempt's result. No other attempt writes it.
    pub(crate) fn result_name(&self) -> String {
        result_name(self.stored.document.task_id, self.number, &self.id)
    }

    /// Logs the end of the attempt.
    pub(crate) fn log(&self, outcome: DeliveryOutcome) {
        let document = &self.stored.document;
        let took = self.engine.env.instant().since(self.started_at);
        let mut line = Line::info("attempt ended")
            .with("task_id", document.task_id.to_string())
            .with("attempt", self.number)
            .with("outcome", outcome.name())
            .with("dequeue_count", self.message.dequeue_count)
            .with("duration_ms", milliseconds(took));
        if let Some(error) = &document.error {
            line = line.with("error_code", error.code.as_str());
        }
        if matches!(outcome, DeliveryOutcome::Failed | DeliveryOutcome::Retried | DeliveryOutcome::Lost) {
            line.level = Level::Warn;
        }
        self.engine.env.log(&line);
    }
}
