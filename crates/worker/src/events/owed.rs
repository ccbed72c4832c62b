//! The events that an attempt owes to the sink while it runs. They are put beside the handler, so that they do not delay
//! it, and what is left is put after the outcome is recorded.

use std::time::Duration;

use futures::future::{Either, LocalBoxFuture, select};
use lifecycle::sink::is_progress_due;
use models::{SinkMessage, TaskStatus};
use service::env::Instant;
use storage::StorageError;

use crate::engine::Engine;
use crate::events::put;

/// The longest time in which an attempt waits for the put of an event: its end, or the renewal of its lease, may be due.
const MAX_PUT_TIME: Duration = Duration::from_secs(2);
/// The pause after a put that failed.
const PAUSE: Duration = Duration::from_secs(10);

/// The events that are still to be put, oldest first.
#[derive(Default)]
pub(crate) struct Owed {
    accepted: Option<SinkMessage>,
    started: Option<SinkMessage>,
    /// Only the newest.
    progressed: Option<SinkMessage>,
    /// When the last event of progress was taken.
    progressed_at: Option<Instant>,
    /// No put before this.
    pause_until: Option<Instant>,
}

impl Owed {
    /// The events at the start of an attempt. A worker without a sink puts none.
    pub(crate) fn at_start(engine: &Engine, document: &TaskStatus, owes_accepted: bool) -> Self {
        if engine.settings.sink.is_none() {
            return Self::default();
        }
        let accepted = SinkMessage::accepted(document).filter(|_| owes_accepted);
        Self { accepted, started: SinkMessage::started(document), ..Self::default() }
    }

    /// Adds the progress that `document` now contains, if its time has come.
    pub(crate) fn progressed(&mut self, engine: &Engine, document: &TaskStatus) {
        let Some(sink) = &engine.settings.sink else { return };
        let now = engine.env.instant();
        let since_last = self.progressed_at.map(|at| now.since(at));
        if is_progress_due(since_last, sink.progress_interval)
            && let Some(message) = SinkMessage::progressed(document)
        {
            self.progressed = Some(message);
            self.progressed_at = Some(now);
        }
    }

    /// Returns the time until the next event is to be put; `None` if there is none.
    pub(crate) fn put_in(&self, now: Instant) -> Option<Duration> {
        let events = [&self.accepted, &self.started, &self.progressed];
        events
            .iter()
            .any(|event| event.is_some())
            .then(|| self.pause_until.map_or(Duration::ZERO, |until| until.since(now)))
    }

    /// Puts the oldest event within a bounded time. After a failure it stays owed.
    pub(crate) async fn put_next(&mut self, engine: &Engine) {
        let Some(slot) = self.oldest() else { return };
        let Some(text) = slot.as_ref().map(SinkMessage::text) else { return };
        let time = engine.env.sleep(MAX_PUT_TIME);
        match select(put(engine, &text), time).await {
            Either::Left((Ok(()), _)) => *slot = None,
            Either::Left((Err(error), _)) => {
                engine.log_failure("an event could not be queued yet", &error);
                self.pause_until = Some(engine.env.instant().plus(PAUSE));
            }
            // It may have been put; a second one has the same id.
            Either::Right(_) => self.pause_until = Some(engine.env.instant().plus(PAUSE)),
        }
    }

    /// Puts what is left when the attempt has ended, except for progress, which says nothing any more.
    ///
    /// # Errors
    /// An event may not have been put.
    pub(crate) fn put_rest<'a>(
        &'a mut self,
        engine: &'a Engine,
    ) -> LocalBoxFuture<'a, Result<(), StorageError>> {
        // Boxed, because every end of an attempt calls it.
        Box::pin(async move {
            self.progressed = None;
            while let Some(slot) = self.oldest() {
                let Some(text) = slot.as_ref().map(SinkMessage::text) else { break };
                put(engine, &text).await?;
                *slot = None;
            }
            Ok(())
        })
    }

    fn oldest(&mut self) -> Option<&mut Option<SinkMessage>> {
        [&mut self.accepted, &mut self.started, &mut self.progressed]
            .into_iter()
            .find(|event| event.is_some())
    }
}
