//! What an attempt does while its handler runs: it renews the lease, writes progress, puts events, and reads the document to
//! find out whether the attempt has to stop.

use std::pin::pin;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, FutureExt as _, select};
use lifecycle::lease::{Renewal, renewal};
use lifecycle::outcome::{Standing, standing, with_progress};
use service::env::Instant;
use storage::{LeaseLost, Read, StoredDocument, Write};

use crate::attempt::Attempt;
use crate::progress::Progress;
use crate::redelivery::{announcement_ended, update};
use crate::slots::Slot;

/// The least time between two writes of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Why a handler is stopped before it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The lease expired, or another worker has the message.
    LeaseLost,
    /// The attempt reached its time limit.
    TimedOut,
    /// The stored document requires it.
    Document(Standing),
    /// The worker stops.
    Released,
}

/// The next request beside the handler.
enum Duty {
    RenewLease,
    WriteProgress,
    PutEvent,
}

/// The earliest times of the next requests.
struct Times {
    /// A failed renewal is not repeated before this.
    renew_at: Instant,
    /// Progress is not written before this.
    write_progress_at: Instant,
}

/// Keeps the lease and writes progress until the sender of `handler_ended` is dropped, or until the attempt has to
/// stop.
///
/// A request that is in progress is finished first: a renewal replaces the pop receipt, which the end of the
/// attempt needs. Do not drop this future while the attempt goes on.
///
/// # Errors
/// [`Stop`] if the handler must be stopped.
pub(crate) async fn keep_lease(
    attempt: &mut Attempt<'_>,
    progress: &Progress,
    slot: &Slot,
    handler_ended: oneshot::Receiver<()>,
) -> Result<(), Stop> {
    // Without `fuse`, `select_biased!` ignores a receiver whose sender was dropped.
    let mut handler_ended = handler_ended.fuse();
    let (renew_at, started_at) = (attempt.started_at, attempt.started_at);
    let mut times = Times { renew_at, write_progress_at: started_at.plus(PROGRESS_INTERVAL) };
    let mut is_first = true;
    loop {
        let duty = {
            let mut due = pin!(wait_for_duty(attempt, &times, progress, slot).fuse());
            futures::select_biased! {
                _ = handler_ended => return Ok(()),
                duty = due => duty?,
            }
        };
        match duty {
            Duty::RenewLease => renew_lease(attempt, &mut times, &mut is_first).await?,
            Duty::WriteProgress => write_progress(attempt, &mut times, progress).await?,
            Duty::PutEvent => attempt.owed.put_next(attempt.engine).await,
        }
    }
}

/// Waits until a request is due. May be dropped.
async fn wait_for_duty(
    attempt: &Attempt<'_>,
    times: &Times,
    progress: &Progress,
    slot: &Slot,
) -> Result<Duty, Stop> {
    let (env, policy) = (&attempt.engine.env, &attempt.policy);
    loop {
        let now = env.instant();
        let (leased, worked) = (now.since(attempt.leased_since), now.since(attempt.started_at));
        let wait = match renewal(leased, worked, policy.visibility, policy.task_timeout) {
            Renewal::Lost => return Err(Stop::LeaseLost),
            Renewal::CapReached => return Err(Stop::TimedOut),
            Renewal::RenewNow if now >= times.renew_at => return Ok(Duty::RenewLease),
            Renewal::RenewNow => times.renew_at.since(now),
            Renewal::Hold(wait) => wait,
        };
        let wait = match attempt.owed.put_in(now) {
            Some(Duration::ZERO) => return Ok(Duty::PutEvent),
            Some(put_in) => wait.min(put_in),
            None => wait,
        };
        if !progress.is_unwritten() {
            select(pin!(progress.reported()), slot.alarm(now.plus(wait))).await;
        } else if now >= times.write_progress_at {
            return Ok(Duty::WriteProgress);
        } else {
            // The sender is kept until the alarm rings or the drain ends.
            let _ = slot.alarm(now.plus(wait).min(times.write_progress_at)).await;
        }
    }
}

/// Renews the lease with the latest pop receipt, then checks whether the task was cancelled. The first renewal ends the
/// announcement of this worker.
async fn renew_lease(attempt: &mut Attempt<'_>, times: &mut Times, is_first: &mut bool) -> Result<(), Stop> {
    let (engine, now) = (attempt.engine, attempt.engine.env.instant());
    let visibility = engine.policy.visibility;
    let text = is_first.then(|| announcement_ended(engine, &attempt.message)).flatten();
    let renewed = {
        let update = pin!(update(engine, &attempt.message, visibility, text.as_deref()));
        // A response after the end of the lease is too late: another worker may have the message.
        let lease_end = engine.env.sleep(attempt.leased_since.plus(visibility).since(now));
        match select(update, lease_end).await {
            Either::Left((renewed, _)) => renewed,
            Either::Right(_) => return Err(Stop::LeaseLost),
        }
    };
    match renewed {
        Ok(Ok(pop_receipt)) => {
            attempt.message.pop_receipt = pop_receipt;
            *is_first = false;
            attempt.leased_since = now;
            refresh_document(attempt).await
        }
        Ok(Err(LeaseLost)) => Err(Stop::LeaseLost),
        Err(error) => {
            // Half of the lease is left for further tries. If the request replaced the pop receipt although no
            // response arrived, the next try finds out.
            engine.log_failure("a lease could not be renewed", &error);
            let pause = (visibility / 10).max(error.retry_after().unwrap_or_default());
            times.renew_at = engine.env.instant().plus(pause);
            Ok(())
        }
    }
}

/// Reads the document if it has changed, and stops the attempt if the document requires it.
async fn refresh_document(attempt: &mut Attempt<'_>) -> Result<(), Stop> {
    let StoredDocument { document, etag } = &attempt.stored;
    match attempt.engine.store.read(document.task_id, Some(etag)).await {
        Ok(Read::Unchanged) => Ok(()),
        Ok(Read::Missing) => Err(Stop::Document(standing(None, &attempt.id))),
        Ok(Read::Found(stored)) => {
            attempt.stored = *stored;
            match standing(Some(&attempt.stored.document), &attempt.id) {
                Standing::Mine => Ok(()),
                standing => Err(Stop::Document(standing)),
            }
        }
        Err(error) => {
            attempt.engine.log_failure("a running task's document could not be read", &error);
            Ok(())
        }
    }
}

/// Writes the reported progress. On a conflict (for example a cancel request) the stored document is read again, and
/// the write is repeated on top of it.
async fn write_progress(
    attempt: &mut Attempt<'_>,
    times: &mut Times,
    progress: &Progress,
) -> Result<(), Stop> {
    let engine = attempt.engine;
    times.write_progress_at = engine.env.instant().plus(PROGRESS_INTERVAL);
    let (percent, message) = progress.latest();
    let document =
        with_progress(&attempt.stored.document, percent, message.as_deref(), engine.env.timestamp());
    match engine.store.replace(&document, &attempt.stored.etag).await {
        Ok(Write::Done(etag)) => {
            attempt.owed.progressed(engine, &document);
            attempt.stored = StoredDocument { document, etag };
            Ok(())
        }
        Ok(Write::Conflict) => {
            progress.not_written();
            refresh_document(attempt).await
        }
        Err(error) => {
            progress.not_written();
            engine.log_failure("progress could not be written", &error);
            Ok(())
        }
    }
}
