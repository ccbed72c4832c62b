//! Simulated work: waits, longer for a lower priority.

use std::time::Duration;

use azure::Env;
use futures::future::LocalBoxFuture;
use models::TaskPriority;

use super::{Handler, HandlerOutcome, Work};
use crate::progress::Progress;

/// Reports of progress in one attempt.
const STEPS: u32 = 10;

/// Waits 1 to 19 times 1, 2 or 3 units, for High, Medium and Low priority. Has no result.
pub(super) struct Simulate {
    pub(super) unit: Duration,
}

impl Handler for Simulate {
    fn run<'a>(
        &'a self,
        env: &'a dyn Env,
        work: &'a Work,
        progress: &'a Progress,
    ) -> LocalBoxFuture<'a, HandlerOutcome> {
        Box::pin(async move {
            let factor = u32::try_from(env.next_u64() % 19).unwrap_or(0) + 1;
            let units = match work.priority {
                TaskPriority::High => 1,
                TaskPriority::Medium => 2,
                TaskPriority::Low => 3,
            };
            let step = self.unit * factor * units / STEPS;
            for done in 1..=STEPS {
                env.sleep(step).await;
                let percent = u8::try_from(done * 100 / STEPS).unwrap_or(100);
                progress.report(Some(percent), None);
            }
            HandlerOutcome::Completed(None)
        })
    }
}
