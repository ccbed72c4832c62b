//! Counts the instances of a component, and ends them early: when the application is killed, or a test drops them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

/// The instances of one component. Each belongs to the generation in which it was made; ending a generation ends
/// all its instances.
#[derive(Debug)]
pub(crate) struct InstanceTracker {
    generation: watch::Sender<u64>,
    closed: AtomicBool,
    running: watch::Sender<usize>,
    started: AtomicUsize,
}

impl InstanceTracker {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            generation: watch::Sender::new(0),
            closed: AtomicBool::new(false),
            running: watch::Sender::new(0),
            started: AtomicUsize::new(0),
        })
    }

    /// Ends the present instances. New requests get new instances.
    pub(crate) fn end_generation(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Ends every instance; further ones are refused.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.end_generation();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Registers a new instance; `None` after [`Self::close`].
    pub(crate) fn register(self: &Arc<Self>) -> Option<InstanceHandle> {
        if self.is_closed() {
            return None;
        }
        self.running.send_modify(|running| *running += 1);
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        let generation = *self.generation.borrow();
        Some(InstanceHandle { tracker: Arc::clone(self), generation, number })
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

/// One instance, counted as running until this is dropped.
#[derive(Debug)]
pub(crate) struct InstanceHandle {
    tracker: Arc<InstanceTracker>,
    generation: u64,
    number: usize,
}

impl InstanceHandle {
    /// Counts the component's instances from 0.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Whether it was ended. It may be polled once more; that must have no effect outside.
    pub(crate) fn is_ended(&self) -> bool {
        *self.tracker.generation.borrow() != self.generation
    }

    /// Resolves when it is ended.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        let mut generations = self.tracker.generation.subscribe();
        let generation = self.generation;
        async move {
            // An error means that the component is gone, which ends the instance as well.
            let _ = generations.wait_for(|now| *now != generation).await;
        }
    }
}

impl Drop for InstanceHandle {
    fn drop(&mut self) {
        self.tracker.running.send_modify(|running| *running = running.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ended_generation_spares_the_next() {
        let tracker = InstanceTracker::new();
        let old = tracker.register().unwrap();
        tracker.end_generation();
        let new = tracker.register().unwrap();
        assert!(old.is_ended() && !new.is_ended());
        old.ended().await;
        assert_eq!((tracker.running(), tracker.started(), new.number()), (2, 2, 1));
    }

    #[tokio::test]
    async fn closed_tracker_refuses_instances_and_sees_the_last_end() {
        let tracker = InstanceTracker::new();
        let instance = tracker.register().unwrap();
        tracker.close();
        assert!(instance.is_ended() && tracker.register().is_none());
        drop(instance);
        tracker.all_ended().await;
    }
}
