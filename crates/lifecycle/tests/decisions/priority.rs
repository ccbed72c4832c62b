//! Which queue a drain asks next, if each priority has its own.

use std::time::Duration;

use lifecycle::priority::{ALL_SHARES, EMPTY_TIME, LOW_SHARE, MEDIUM_SHARE, RoundEnd, Rounds};
use models::TaskPriority::{self, High, Low, Medium};
use proptest::prelude::*;

const NOW: Duration = Duration::ZERO;

/// Queues of a number of messages each, in the order High, Medium, Low.
#[derive(Debug, Clone)]
struct Queues([usize; 3]);

impl Queues {
    fn of(&mut self, priority: TaskPriority) -> &mut usize {
        &mut self.0[match priority {
            High => 0,
            Medium => 1,
            Low => 2,
        }]
    }

    /// One round with `slots` free slots: each queue that is asked, the messages requested and received, and the end.
    fn round(
        &mut self,
        rounds: &mut Rounds,
        slots: usize,
        now: Duration,
    ) -> (Vec<(TaskPriority, usize, usize)>, RoundEnd) {
        let (mut requests, mut free) = (Vec::new(), slots);
        loop {
            let (priority, count) = rounds.next(free, now);
            let received = count.min(*self.of(priority));
            *self.of(priority) -= received;
            free -= received;
            requests.push((priority, count, received));
            assert!((1..=slots).contains(&count) && requests.len() <= 3, "{requests:?}");
            if let Some(end) = rounds.received(priority, count, received, now) {
                return (requests, end);
            }
        }
    }
}

#[test]
fn higher_queue_gets_all_slots_but_the_reserves_of_lower_ones() {
    const MANY: usize = 1_000_000;
    for (slots, queues, expected) in [
        // Slots, messages, and what 160 rounds receive of each priority.
        (32, [MANY, MANY, MANY], [3520, 1280, 320]),
        (8, [MANY, MANY, MANY], [880, 320, 80]),
        (1, [MANY, MANY, MANY], [110, 40, 10]),
        // The share of a queue that is empty goes to the highest one that is not.
        (32, [MANY, 0, MANY], [4800, 0, 320]),
        (32, [0, MANY, MANY], [0, 4800, 320]),
        (32, [MANY, MANY, 0], [3840, 1280, 0]),
        (32, [0, 0, MANY], [0, 0, 5120]),
    ] {
        let mut rounds = Rounds::new(0.5);
        let mut world = Queues(queues);
        let mut received = [0_usize; 3];
        for _ in 0..160 {
            for (priority, _, count) in world.round(&mut rounds, slots, NOW).0 {
                received[match priority {
                    High => 0,
                    Medium => 1,
                    Low => 2,
                }] += count;
            }
        }
        for (received, expected) in received.into_iter().zip(expected) {
            let lost = queues.iter().filter(|messages| **messages == 0).count() * slots;
            assert!(
                received.abs_diff(expected) <= 1 + lost,
                "{slots} slots, {queues:?}: {received}, {expected}"
            );
        }
    }
}

#[test]
fn high_message_is_in_the_first_batch_behind_10000_low_ones() {
    for part in 0..ALL_SHARES {
        let mut rounds = Rounds::new(f64::from(u32::try_from(part).unwrap()) / 16.0);
        let mut queues = Queues([0, 0, 10_000]);
        queues.round(&mut rounds, 32, NOW);
        *queues.of(High) = 1;
        let (requests, _) = queues.round(&mut rounds, 32, NOW + EMPTY_TIME);
        assert_eq!(requests.first().map(|(priority, _, received)| (*priority, *received)), Some((High, 1)));
        assert!(requests.contains(&(Low, 31, 31)), "{requests:?}");
    }
}

#[test]
fn empty_queue_is_not_asked_again_for_one_second() {
    let mut rounds = Rounds::new(0.0);
    let mut queues = Queues([0, 0, 1000]);
    let asked = |(requests, _): (Vec<(TaskPriority, usize, usize)>, RoundEnd)| {
        requests.into_iter().map(|(priority, ..)| priority).collect::<Vec<_>>()
    };
    let almost = EMPTY_TIME.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(asked(queues.round(&mut rounds, 8, NOW)), [High, Medium, Low]);
    assert_eq!(asked(queues.round(&mut rounds, 8, almost)), [Low]);
    assert_eq!(asked(queues.round(&mut rounds, 8, EMPTY_TIME)), [High, Medium, Low]);
    rounds.promoted();
    assert_eq!(
        asked(queues.round(&mut rounds, 8, EMPTY_TIME)),
        [High, Medium, Low],
        "one may have a message"
    );
    queues = Queues([1, 0, 0]);
    assert_eq!(asked(queues.round(&mut rounds, 8, EMPTY_TIME)), [Low]);
    assert_eq!(asked(queues.round(&mut rounds, 8, EMPTY_TIME)), [High, Medium, Low], "all counted as empty");
}

#[test]
fn round_is_empty_only_if_every_queue_is() {
    for (queues, slots, expected) in [
        ([0, 0, 0], 4, RoundEnd { received: 0, is_empty: true }),
        ([1, 1, 1], 4, RoundEnd { received: 3, is_empty: true }),
        ([4, 0, 0], 4, RoundEnd { received: 3, is_empty: false }),
        ([2, 2, 0], 4, RoundEnd { received: 4, is_empty: false }),
        ([0, 0, 4], 4, RoundEnd { received: 4, is_empty: false }),
    ] {
        assert_eq!(Queues(queues).round(&mut Rounds::new(0.5), slots, NOW).1, expected, "{queues:?}");
    }
    // The only slot was reserved for Low, so nothing is known of High.
    let end = Queues([1, 0, 0]).round(&mut Rounds::new(0.99), 1, NOW);
    assert_eq!(end, (vec![(Low, 1, 0)], RoundEnd { received: 0, is_empty: false }));
}

#[test]
fn drains_of_one_slot_keep_the_shares_over_all_starts() {
    let mut first = [0; 3];
    for part in 0..ALL_SHARES {
        let (priority, count) = Rounds::new(f64::from(u32::try_from(part).unwrap()) / 16.0).next(1, NOW);
        assert_eq!(count, 1);
        first[match priority {
            High => 0,
            Medium => 1,
            Low => 2,
        }] += 1;
    }
    assert_eq!(first, [ALL_SHARES - MEDIUM_SHARE - LOW_SHARE, MEDIUM_SHARE, LOW_SHARE]);
}

#[test]
fn failed_request_ends_the_round_and_adds_less_than_a_slot_of_credit() {
    let mut rounds = Rounds::new(0.0);
    for _ in 0..100 {
        let (priority, count) = rounds.next(8, NOW);
        assert!(priority == High && (5..=6).contains(&count), "{count}");
        rounds.end_round();
        assert!(rounds.is_at_last_queue());
    }
}

proptest! {
    /// No queue with messages waits for more than its share allows, whatever batches the others fill.
    #[test]
    fn visible_message_waits_for_few_others(
        fraction in 0.0..1.0_f64,
        batches in prop::collection::vec((1..=32_usize, 0..3_usize), 1..200),
    ) {
        let mut rounds = Rounds::new(fraction);
        let mut passed = [0_usize; 3];
        for (slots, filled) in batches {
            let mut queues = Queues([1, 1, 1]);
            queues.0[filled] = 1000;
            // All three always have at least one message.
            for (priority, _, received) in queues.round(&mut rounds, slots, NOW).0 {
                if received == 0 {
                    continue;
                }
                for (index, other) in [High, Medium, Low].into_iter().enumerate() {
                    passed[index] = if other == priority { 0 } else { passed[index] + received };
                }
                rounds.promoted();
            }
            for (passed, most) in passed.into_iter().zip([4, 8, 20]) {
                prop_assert!(passed <= most + 2 * 32, "{passed}");
            }
        }
    }
}
