//! How a message is taken up that deliveries left no trace of, and how long one waits that was left alone.

use crate::samples::{POLICY, secs};
use lifecycle::Policy;
use lifecycle::redelivery::{Approach, approach, backed_off, pause, survived};
use models::DeliveryNote;

fn note(delivery: u32, lost_workers: u32) -> DeliveryNote {
    DeliveryNote { delivery, lost_workers, backed_off: 0 }
}

#[test]
fn a_message_is_given_up_unread_after_five_workers_that_announced_themselves() {
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
fn deliveries_without_a_trace_alone_never_condemn_a_message() {
    // Hours of replies that never arrived: storage has counted, nobody was lost.
    for count in [6, 100, 10_000, u32::MAX] {
        assert_eq!(approach(count, DeliveryNote::default(), &POLICY), Approach::Announce(note(count, 1)));
    }
}

#[test]
fn a_worker_that_survives_clears_the_message() {
    for count in [1, 9, 1_000] {
        let kept = survived(count, note(count - 1, 4));
        assert_eq!(kept, note(count, 0));
        assert_eq!(approach(count + 1, kept, &POLICY), Approach::Plain);
        assert_eq!(approach(count + 5, kept, &POLICY), Approach::Plain);
        assert_eq!(approach(count + 6, kept, &POLICY), Approach::Announce(note(count + 6, 1)));
    }
}

#[test]
fn later_notes_keep_the_attempt_that_was_backed_off() {
    let hidden = backed_off(1, 3);
    assert_eq!(hidden, DeliveryNote { backed_off: 3, ..note(1, 0) });
    assert_eq!(survived(2, hidden), DeliveryNote { backed_off: 3, ..note(2, 0) });
    let Approach::Announce(announced) = approach(8, hidden, &POLICY) else { panic!("six left no trace") };
    assert_eq!(announced, DeliveryNote { backed_off: 3, ..note(8, 1) });
}

#[test]
fn at_least_five_workers_and_as_many_as_attempts_must_be_lost() {
    for (max_dequeue_count, bound) in [(1, 5), (5, 5), (6, 6), (1000, 1000)] {
        let policy = Policy { max_dequeue_count, ..POLICY };
        let gives_up = |lost| matches!(approach(5_000, note(4_999, lost), &policy), Approach::GiveUp(_));
        assert!(!gives_up(bound - 1) && gives_up(bound), "{max_dequeue_count}");
    }
}

#[test]
fn a_message_left_alone_waits_longer_each_time_up_to_a_minute() {
    for (count, shortest, longest) in [(1, 5, 10), (2, 10, 20), (3, 20, 40), (4, 30, 60), (u32::MAX, 30, 60)]
    {
        assert_eq!(pause(count, None, 0.0), secs(shortest), "{count}");
        assert_eq!(pause(count, None, 1.0), secs(longest), "{count}");
    }
    assert_eq!(pause(1, Some(secs(30)), 0.5), secs(30), "never less than storage asked for");
    assert_eq!(pause(9, Some(secs(30)), 1.0), secs(60));
}
