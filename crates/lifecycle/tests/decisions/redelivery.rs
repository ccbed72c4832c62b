//! Messages that may crash their workers, and pauses after errors.

use crate::samples::{POLICY, secs};
use lifecycle::Policy;
use lifecycle::redelivery::{Approach, approach, backed_off, pause, survived};
use models::DeliveryNote;

fn note(delivery: u32, lost_workers: u32) -> DeliveryNote {
    DeliveryNote { delivery, lost_workers, backed_off: 0 }
}

#[test]
fn message_is_given_up_unread_after_five_announced_workers() {
    let mut kept = DeliveryNote::default();
    for count in 1..=5 {
        assert_eq!(approach(count, kept, &POLICY), Approach::Plain, "{count}");
    }
    for count in 6..=10 {
        let announced = note(count, count - 5);
        assert_eq!(approach(count, kept, &POLICY), Approach::Announce(announced), "{count}");
        kept = announced;
    }
    let Approach::GiveUp(reason) = approach(11, kept, &POLICY) else { panic!("five workers were lost") };
    assert_eq!(
        reason,
        "5 workers in a row ended after they received the message, before an attempt was recorded"
    );
}

#[test]
fn missing_notes_alone_never_give_a_message_up() {
    // Lost responses for hours: storage has counted deliveries, but no worker was lost.
    for count in [6, 100, 10_000, u32::MAX] {
        assert_eq!(approach(count, DeliveryNote::default(), &POLICY), Approach::Announce(note(count, 1)));
    }
}

#[test]
fn surviving_worker_resets_the_note() {
    for count in [1, 9, 1_000] {
        let kept = survived(count, note(count - 1, 4));
        assert_eq!(kept, note(count, 0));
        assert_eq!(approach(count + 1, kept, &POLICY), Approach::Plain);
        assert_eq!(approach(count + 5, kept, &POLICY), Approach::Plain);
        assert_eq!(approach(count + 6, kept, &POLICY), Approach::Announce(note(count + 6, 1)));
    }
}

#[test]
fn later_notes_keep_the_backed_off_attempt() {
    let hidden = backed_off(1, 3);
    assert_eq!(hidden, DeliveryNote { backed_off: 3, ..note(1, 0) });
    assert_eq!(survived(2, hidden), DeliveryNote { backed_off: 3, ..note(2, 0) });
    let Approach::Announce(announced) = approach(8, hidden, &POLICY) else { panic!("six left no trace") };
    assert_eq!(announced, DeliveryNote { backed_off: 3, ..note(8, 1) });
}

#[test]
fn lost_workers_allowed_are_the_attempts_and_at_least_five() {
    for (max_dequeue_count, bound) in [(1, 5), (5, 5), (6, 6), (1000, 1000)] {
        let policy = Policy { max_dequeue_count, ..POLICY };
        let gives_up = |lost| matches!(approach(5_000, note(4_999, lost), &policy), Approach::GiveUp(_));
        assert!(!gives_up(bound - 1) && gives_up(bound), "{max_dequeue_count}");
    }
}

#[test]
fn pause_after_an_error_doubles_up_to_a_minute() {
    for (count, shortest, longest) in [(1, 5, 10), (2, 10, 20), (3, 20, 40), (4, 30, 60), (u32::MAX, 30, 60)]
    {
        assert_eq!(pause(count, None, 0.0), secs(shortest), "{count}");
        assert_eq!(pause(count, None, 1.0), secs(longest), "{count}");
    }
    assert_eq!(pause(1, Some(secs(30)), 0.5), secs(30), "never less than storage asked for");
    assert_eq!(pause(9, Some(secs(30)), 1.0), secs(60));
}
