//! One attempt from the start of its handler to what is written about its end.

use std::cell::Cell;
use std::pin::pin;

use futures::future::{Either, FutureExt as _, select};
use lifecycle::outcome::{Outcome, Standing};
use models::TaskError;

use crate::attempt::{Attempt, Stop};
use crate::control::Released;
use crate::counts::Verdict;
use crate::handlers::{self, Handled, Work};
use crate::progress::Progress;
use crate::settle::settle;

/// Runs the handler to its end, or to the reason to stop it, and writes what became of it.
pub(crate) async fn run(mut attempt: Attempt<'_>, released: Released) -> Verdict {
    let work = Work::of(&attempt.stored.document);
    let progress = Progress::default();
    match run_handler(&mut attempt, &work, &progress, released).await {
        Ok(handled) => {
            let (outcome, payload) = handled.into_outcome(|| attempt.result_name());
            settle(attempt, outcome, payload).await
        }
        Err(Stop::TimedOut) => {
            let seconds = attempt.engine.policy.task_timeout.as_secs();
            let message = format!("the attempt was stopped after {seconds} seconds (task_timeout_seconds)");
            let error = TaskError { code: "TimedOut".to_owned(), message };
            settle(attempt, Outcome::Retry { error, after: None }, None).await
        }
        Err(Stop::Released) => settle(attempt, Outcome::Released, None).await,
        Err(Stop::Document(Standing::CancelRequested)) => settle(attempt, Outcome::Cancelled, None).await,
        Err(Stop::Document(Standing::Terminal)) => {
            attempt.engine.discard(&attempt.delivery).await;
            attempt.log(Verdict::Discarded);
            Verdict::Discarded
        }
        Err(Stop::LeaseLost | Stop::Document(_)) => {
            attempt.log(Verdict::Lost);
            Verdict::Lost
        }
    }
}

async fn run_handler(
    attempt: &mut Attempt<'_>,
    work: &Work,
    progress: &Progress,
    released: Released,
) -> Result<Handled, Stop> {
    let engine = attempt.engine;
    let mut handler = handlers::start(engine, work, progress);
    let mut released = released.map(|_| ());
    loop {
        let is_busy = Cell::new(false);
        let handled = {
            let mut step = pin!(attempt.tend(progress, &is_busy));
            let handled = match select(select(&mut handler, &mut released), &mut step).await {
                Either::Right((Err(stop), _)) => return Err(stop),
                Either::Right((Ok(()), _)) => continue,
                Either::Left((Either::Left((handled, _)), _)) => Ok(handled),
                Either::Left((Either::Right(((), _)), _)) => Err(Stop::Released),
            };
            // A renewal in flight replaces the receipt that the end of the attempt needs.
            if is_busy.get()
                && let Err(stop) = step.as_mut().await
            {
                return Err(stop);
            }
            handled
        };
        return handled;
    }
}
