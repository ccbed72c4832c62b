//! A timer that a loop keeps from one turn to the next.

use std::time::Duration;

use azure::Env;
use futures::future::{Fuse, FusedFuture as _, FutureExt as _, LocalBoxFuture};

/// Ends at the latest when the loop asked for it.
///
/// It may end earlier, for what an earlier turn waited for; the loop then finds nothing due and asks again. A new timer for
/// each turn costs more: eight calls to the host, and a drain has two turns for each task.
pub(crate) struct Timer<'a> {
    env: &'a dyn Env,
    /// When it ends, since the start of the loop.
    due: Duration,
    sleep: Fuse<LocalBoxFuture<'a, ()>>,
}

impl<'a> Timer<'a> {
    pub(crate) fn new(env: &'a dyn Env) -> Self {
        Self { env, due: Duration::MAX, sleep: Fuse::terminated() }
    }

    /// Lets it end at most `wait` after `now`, the time since the start of the loop.
    pub(crate) fn end_within(&mut self, wait: Duration, now: Duration) {
        let due = now.saturating_add(wait);
        if self.sleep.is_terminated() || due < self.due {
            self.due = due;
            self.sleep = self.env.sleep(wait).fuse();
        }
    }

    /// Its end; never, if no end was asked for since the last one.
    pub(crate) fn end(&mut self) -> &mut Fuse<LocalBoxFuture<'a, ()>> {
        &mut self.sleep
    }
}

#[cfg(test)]
mod tests {
    use test_world::TestWorld;
    use tokio::time::Instant;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn earliest_end_is_kept_until_it_has_passed() {
        let world = TestWorld::new();
        let started = Instant::now();
        let mut timer = Timer::new(&*world);
        timer.end_within(5 * SECOND, Duration::ZERO);
        timer.end_within(9 * SECOND, Duration::ZERO);
        timer.end_within(3 * SECOND, Duration::ZERO);
        timer.end().await;
        assert_eq!(started.elapsed(), 3 * SECOND);
        assert!(timer.end().is_terminated());
        timer.end_within(9 * SECOND, 3 * SECOND);
        timer.end().await;
        assert_eq!(started.elapsed(), 12 * SECOND);
    }
}
