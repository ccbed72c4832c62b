//! The times for which the attempts of a drain wait, on the timer of the drain.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::channel::oneshot;
use service::env::Instant;

/// The alarms of one drain.
///
/// A timer for each attempt costs more: eight calls to the host, and one more whenever the attempt is polled.
#[derive(Default)]
pub(crate) struct Alarms {
    waiting: RefCell<Vec<Alarm>>,
    /// When the first alarm is due of which the drain knows.
    known: Cell<Option<Instant>>,
}

struct Alarm {
    due: Instant,
    ring: oneshot::Sender<()>,
}

impl Alarms {
    /// Sets an alarm, which ends with the receiver. Also returns whether the drain does not know yet of one that is as early.
    pub(crate) fn set(&self, due: Instant) -> (oneshot::Receiver<()>, bool) {
        let (ring, rung) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|alarm| !alarm.ring.is_canceled());
        waiting.push(Alarm { due, ring });
        (rung, self.known.get().is_none_or(|known| due < known))
    }

    /// Ends the waits that are over `now`. Returns the time until the next one is.
    pub(crate) fn ring(&self, now: Instant) -> Option<Duration> {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|alarm| !alarm.ring.is_canceled());
        for alarm in waiting.extract_if(.., |alarm| alarm.due <= now) {
            // An attempt that waits no more has dropped its end.
            let _ = alarm.ring.send(());
        }
        self.known.set(waiting.iter().map(|alarm| alarm.due).min());
        self.known.get().map(|due| due.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::since_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn alarms_ring_when_they_are_due_and_the_next_one_is_named() {
        let alarms = Alarms::default();
        let (mut late, _) = alarms.set(at(9));
        let (mut early, _) = alarms.set(at(5));
        assert_eq!(alarms.ring(at(4)), Some(Duration::from_secs(1)));
        assert_eq!((early.try_recv(), late.try_recv()), (Ok(None), Ok(None)));
        assert_eq!(alarms.ring(at(5)), Some(Duration::from_secs(4)));
        assert_eq!((early.try_recv(), late.try_recv()), (Ok(Some(())), Ok(None)));
        assert_eq!(alarms.ring(at(10)), None);
        assert_eq!(late.try_recv(), Ok(Some(())));
    }

    #[test]
    fn only_an_alarm_before_the_known_ones_is_new_to_the_drain() {
        let alarms = Alarms::default();
        let (first, is_new) = alarms.set(at(5));
        assert!(is_new);
        alarms.ring(at(0));
        assert!(!alarms.set(at(5)).1);
        assert!(alarms.set(at(4)).1);
        drop(first);
        assert_eq!(alarms.ring(at(0)), None, "alarms end with their receivers");
        assert!(alarms.set(at(9)).1);
    }
}
