//! How instances end before their time: the whole application killed, or one component's instances dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

/// The lives of one component's instances. Each instance belongs to the generation in which it was made;
/// ending a generation ends all its instances.
#[derive(Debug)]
pub(crate) struct Lives {
    generation: watch::Sender<u64>,
    closed: AtomicBool,
    running: watch::Sender<usize>,
    started: AtomicUsize,
}

impl Lives {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            generation: watch::Sender::new(0),
            closed: AtomicBool::new(false),
            running: watch::Sender::new(0),
            started: AtomicUsize::new(0),
        })
    }

    /// Ends every instance that is there now. New requests get new instances.
    pub(crate) fn end_generation(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Ends every instance and lets none begin.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.end_generation();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Begins a life, or `None` after [`Self::close`].
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Life> {
        if self.is_closed() {
            return None;
        }
        self.running.send_modify(|running| *running += 1);
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        let generation = *self.generation.borrow();
        Some(Life { lives: Arc::clone(self), generation, number })
    }

    /// How many instances there are.
    pub(crate) fn running(&self) -> usize {
        *self.running.borrow()
    }

    /// How many instances there have ever been.
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    /// Waits until no instance is left.
    pub(crate) async fn all_ended(&self) {
        // The sender is in `self`, so waiting cannot fail.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }
}

/// The life of one instance.
#[derive(Debug)]
pub(crate) struct Life {
    lives: Arc<Lives>,
    generation: u64,
    number: usize,
}

impl Life {
    /// Counts the component's instances from 0.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Whether it was ended. The instance may still be polled once more; it must not be noticed outside.
    pub(crate) fn is_over(&self) -> bool {
        *self.lives.generation.borrow() != self.generation
    }

    /// Resolves when it is ended.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        let mut generations = self.lives.generation.subscribe();
        let generation = self.generation;
        async move {
            // An error means that the component is gone, which ends the life just the same.
            let _ = generations.wait_for(|now| *now != generation).await;
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.lives.running.send_modify(|running| *running = running.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ending_a_generation_ends_its_instances_and_spares_the_next() {
        let lives = Lives::new();
        let old = lives.begin().unwrap();
        lives.end_generation();
        let new = lives.begin().unwrap();
        assert!(old.is_over() && !new.is_over());
        old.over().await;
        assert_eq!((lives.running(), lives.started(), new.number()), (2, 2, 1));
    }

    #[tokio::test]
    async fn after_closing_nothing_begins_and_the_last_end_is_seen() {
        let lives = Lives::new();
        let life = lives.begin().unwrap();
        lives.close();
        assert!(life.is_over() && lives.begin().is_none());
        drop(life);
        lives.all_ended().await;
    }
}
