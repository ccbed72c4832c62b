//! One attempt, from the start of its handler to the record of its outcome.

use futures::channel::oneshot;
use futures::future::FutureExt as _;
use lifecycle::outcome::{HandlerProcess, Outcome, Standing, timed_out};

use crate::attempt::Attempt;
use crate::engine::Engine;
use crate::handlers::{self, HandlerOutcome, Watch, Work};
use crate::lease::{Stop, keep_lease};
use crate::outcome::DeliveryOutcome;
use crate::places::Place;
use crate::progress::Progress;
use crate::settle::{discard_ended, settle};
use crate::slots::Slot;

/// Runs the handler until it ends or has to be stopped, and records the outcome.
pub(crate) async fn run(mut attempt: Attempt<'_>, slot: &Slot, place: Option<Place<'_>>) -> DeliveryOutcome {
    let work = Work::of(&attempt.stored.document);
    let handled = run_handler(&mut attempt, &work, slot).await;
    // The next task of the name need not wait for the record of this one.
    drop(place);
    match handled {
        Ok(handled) => {
            let limit = handlers::max_result_bytes(&attempt, &work.name);
            let (outcome, result) = handled.into_outcome(limit, || attempt.result_name());
            // The outcome is recorded without a slot, so that the next message is received meanwhile. A large result
            // keeps its slot: the slots bound the memory that results occupy.
            if result.is_none() {
                slot.free();
            }
            settle(attempt, outcome, result).await
        }
        Err(Stop::TimedOut) => {
            let limit = attempt.policy.task_timeout;
            let is_own = limit < attempt.engine.policy_of(&work.name).task_timeout;
            let name = if is_own { "TimeoutSeconds" } else { "task_timeout_seconds" };
            let message = format!("the attempt was stopped after {} seconds ({name})", limit.as_secs());
            // Half of the lease is left, far more than a report may take unless the lease has only seconds.
            let process = report_overrun(&attempt, &work.name).await;
            settle(attempt, timed_out(message, process), None).await
        }
        Err(Stop::Released) => settle(attempt, Outcome::Released, None).await,
        Err(Stop::Document(Standing::CancelRequested)) => settle(attempt, Outcome::Cancelled, None).await,
        Err(Stop::Document(Standing::Terminal)) => {
            discard_ended(&mut attempt).await;
            attempt.log(DeliveryOutcome::Discarded);
            DeliveryOutcome::Discarded
        }
        Err(Stop::LeaseLost | Stop::Document(_)) => {
            attempt.log(DeliveryOutcome::Lost);
            DeliveryOutcome::Lost
        }
    }
}

/// Tells the launcher that a handler in a process of its own has not ended, because it may compute without end. Returns
/// whether the process responded meanwhile.
async fn report_overrun(attempt: &Attempt<'_>, name: &str) -> HandlerProcess {
    let Engine { env, settings, .. } = attempt.engine;
    if let Some(watch) = Watch::of(settings)
        && Watch::covers(settings, name)
    {
        return watch.report(&**env, env.instant().since(attempt.started_at)).await;
    }
    HandlerProcess::Unknown
}

/// Runs the handler, and keeps the lease meanwhile.
///
/// # Errors
/// [`Stop`] if the handler was stopped.
async fn run_handler(attempt: &mut Attempt<'_>, work: &Work, slot: &Slot) -> Result<HandlerOutcome, Stop> {
    let progress = Progress::default();
    let mut handler = handlers::start(attempt, work, &progress).fuse();
    let (handler_runs, handler_ended) = oneshot::channel();
    let handled = async {
        let handled = futures::select_biased! {
            handled = handler => Ok(handled),
            _ = slot.released() => Err(Stop::Released),
        };
        drop(handler_runs);
        Ok(handled)
    };
    // The first error drops the handler. Its end only ends `keep_lease`, after the request in progress.
    let (handled, ()) = futures::try_join!(handled, keep_lease(attempt, &progress, slot, handler_ended))?;
    handled
}
