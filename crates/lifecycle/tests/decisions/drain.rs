//! The steps of one drain.

use std::time::Duration;

use lifecycle::drain::{Drain, MAX_EMPTY_QUEUE_PAUSE, Next, SETTLING_TIME};
use lifecycle::handler_limit::{MAX_HANDLER_CONNECTIONS, MAX_HOST_CONNECTIONS, fits, is_outside};

const BUDGET: Duration = Duration::from_secs(20);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn first_receive_asks_for_all_slots_and_empty_queue_ends() {
    for (slots, asked) in [(1, 1), (8, 8), (32, 32), (256, 32)] {
        let mut drain = Drain::new(slots, BUDGET);
        assert_eq!(drain.next(0, 0, s(0)), Next::Receive(asked));
        drain.received(asked, 0, ms(10));
        assert_eq!(drain.next(0, 0, ms(10)), Next::End);
    }
}

#[test]
fn small_batches_wait_for_more_free_slots_while_the_queue_is_long() {
    let mut drain = Drain::new(8, BUDGET);
    drain.received(8, 8, s(1));
    assert_eq!(drain.next(8, 0, s(1)), Next::Finish, "no slot is free");
    assert_eq!(drain.next(7, 0, s(1)), Next::Wait(ms(200)));
    assert_eq!(drain.next(4, 0, s(1)), Next::Receive(4), "half of the slots are free");
    assert_eq!(drain.next(7, 0, ms(1200)), Next::Receive(1), "it has gathered long enough");
}

#[test]
fn quarter_of_the_slots_is_received_at_once() {
    for (slots, free, expected) in [
        (32, 8, Next::Receive(8)),
        (32, 7, Next::Wait(ms(200))),
        // Of few slots, four, but not more than a half.
        (8, 4, Next::Receive(4)),
        (8, 3, Next::Wait(ms(200))),
        (4, 2, Next::Receive(2)),
        (1, 1, Next::Receive(1)),
        // Of more slots than a batch has messages, a quarter of a batch.
        (256, 8, Next::Receive(8)),
        (256, 256, Next::Receive(32)),
    ] {
        let mut drain = Drain::new(slots, BUDGET);
        drain.received(1, 1, s(1));
        assert_eq!(drain.next(slots - free, 0, s(1)), expected, "{free} of {slots} are free");
    }
}

#[test]
fn slot_is_free_while_the_outcome_of_its_task_is_recorded() {
    let mut drain = Drain::new(8, BUDGET);
    drain.received(8, 8, s(1));
    assert_eq!(drain.next(0, 8, s(1)), Next::Receive(8));
    assert_eq!(drain.next(4, 8, s(1)), Next::Receive(4));
    assert_eq!(drain.next(0, 12, s(1)), Next::Receive(4), "at most 16 messages are held");
    assert_eq!(drain.next(0, 13, s(1)), Next::Wait(ms(200)));
    assert_eq!(drain.next(0, 16, s(1)), Next::Finish);
    assert_eq!(drain.next(0, 16, BUDGET), Next::Finish, "outcomes are recorded before the drain ends");
    assert_eq!(drain.next(0, 1, BUDGET), Next::Wait(SETTLING_TIME));
    assert_eq!(drain.next(0, 0, BUDGET), Next::End);
}

#[test]
fn empty_queue_is_checked_less_often_while_tasks_run() {
    let mut drain = Drain::new(8, s(3600));
    let mut now = s(0);
    let mut pauses = Vec::new();
    drain.received(8, 3, now);
    for _ in 0..6 {
        let Next::Wait(pause) = drain.next(3, 0, now) else { panic!("an empty queue is left alone") };
        pauses.push(pause.as_secs());
        now += pause;
        assert_eq!(drain.next(3, 0, now), Next::Receive(5));
        drain.received(5, 0, now);
    }
    assert_eq!(pauses, [1, 1, 2, 4, 5, 5]);
    drain.received(5, 1, now);
    assert_eq!(drain.next(4, 0, now), Next::Wait(s(1)), "something came: others may follow");
    drain.promoted(now);
    assert_eq!(drain.next(4, 0, now), Next::Receive(4), "and what was promoted is there now");
}

#[test]
fn drain_over_its_budget_ends_with_its_last_task() {
    let mut drain = Drain::new(8, BUDGET);
    drain.received(8, 8, s(19));
    assert_eq!(drain.next(0, 0, ms(19_999)), Next::Receive(8));
    assert_eq!(drain.next(0, 0, BUDGET), Next::End);
    assert_eq!(drain.next(3, 0, BUDGET), Next::Wait(SETTLING_TIME), "the rest may end soon");
    assert_eq!(drain.next(0, 0, BUDGET + ms(1)), Next::End);
    assert_eq!(drain.rounds(), 1);
}

/// P12: a free slot receives within a bounded time, whatever runs.
#[test]
fn free_slot_is_idle_for_a_bounded_time() {
    for (slots, budget) in [(2, 1), (32, 20), (32, 600), (256, 3600)] {
        let mut drain = Drain::new(slots, s(budget));
        drain.received(slots.min(32), 1, s(0));
        let (mut now, mut last_look, mut rounds) = (s(0), s(0), 0);
        while now < s(7 * 86_400) {
            match drain.next(1, 0, now) {
                Next::Wait(wait) => now += wait,
                Next::Receive(count) => {
                    let gap = now.saturating_sub(last_look);
                    assert!(
                        gap <= SETTLING_TIME + MAX_EMPTY_QUEUE_PAUSE,
                        "{slots} slots, {budget} s: {gap:?} at {now:?}"
                    );
                    (last_look, rounds) = (now, drain.rounds());
                    drain.received(count, 0, now);
                }
                other => panic!("{other:?} at {now:?}"),
            }
        }
        assert!(rounds > 100, "rounds stay short enough that the drain can end: {rounds}");
        assert_eq!(drain.next(0, 0, now), Next::End);
    }
}

#[test]
fn steady_load_of_short_tasks_ends_with_each_round() {
    let mut drain = Drain::new(8, BUDGET);
    let mut now = s(0);
    // Tasks of three seconds occupy all slots all the time.
    while now < BUDGET {
        drain.received(8, 8, now);
        assert_eq!(drain.next(8, 0, now), Next::Finish);
        now += s(3);
    }
    assert!(matches!(drain.next(7, 0, now), Next::Wait(_)), "nothing new is received");
    assert_eq!(drain.next(0, 0, now + s(3)), Next::End);
}

#[test]
fn rest_ends_an_idle_drain_and_pauses_a_busy_one() {
    let mut drain = Drain::new(8, BUDGET);
    drain.received(8, 8, s(1));
    drain.rest(s(5), s(1));
    assert_eq!(drain.next(0, 0, s(2)), Next::End);
    assert_eq!(drain.rest_left(s(2)), Some(s(4)), "what is left of it is told to the launcher");
    assert_eq!(drain.next(2, 0, s(2)), Next::Wait(s(4)));
    assert_eq!(drain.upkeep_in(s(2)), Some(s(4)), "upkeep asks storage as well");
    drain.rest(s(1), s(2));
    assert_eq!(drain.rest_left(s(2)), Some(s(4)), "a shorter rest does not shorten it");
    assert_eq!(drain.next(2, 0, s(6)), Next::Receive(6));
    assert_eq!(drain.rest_left(s(6)), None);
}

#[test]
fn stopped_drain_receives_nothing_and_ends_with_its_last_task() {
    let mut drain = Drain::new(8, BUDGET);
    drain.received(8, 8, s(0));
    drain.stop();
    assert_eq!((drain.next(3, 0, s(1)), drain.upkeep_in(s(60))), (Next::Finish, None));
    assert_eq!(drain.next(0, 0, s(1)), Next::End);
}

#[test]
fn upkeep_is_due_every_five_seconds() {
    let mut drain = Drain::new(8, BUDGET);
    assert_eq!((drain.upkeep_in(s(0)), drain.upkeep_in(s(6))), (Some(s(5)), Some(s(0))));
    drain.upkeep_done(false, s(6));
    assert_eq!(drain.upkeep_in(s(7)), Some(s(4)));
    drain.upkeep_done(true, s(11));
    assert_eq!(drain.upkeep_in(s(11)), Some(s(0)), "a pass of the sweep goes on");
}

#[test]
fn drain_sweeps_only_after_it_found_the_queue_empty() {
    let mut drain = Drain::new(8, BUDGET);
    drain.received(8, 1, s(0));
    drain.received(7, 0, s(19));
    assert!(!drain.sweeps(ms(19_999)), "a short drain leaves it to an idle one");
    assert!(drain.sweeps(BUDGET));
    drain.received(7, 7, s(21));
    assert!(!drain.sweeps(s(22)), "messages wait, and their tasks show no sign of life");
    drain.received(1, 0, s(23));
    assert!(drain.sweeps(s(24)));
    assert!(!drain.sweeps(s(60)), "all slots have been taken since: the queue was not checked");
}

#[test]
fn handler_of_the_same_application_needs_no_connection() {
    for (url, outside) in [
        ("http://resize.spin.internal/", false),
        ("http://RESIZE.Spin.Internal:80/run?x=1", false),
        ("https://resize.example.org/", true),
        ("http://127.0.0.1:8080/run", true),
        ("http://spin.internal.example.org/", true),
        ("http://example.org/a.spin.internal", true),
        ("http://a.spin.internal@example.org/", true),
        ("http://example.org?.spin.internal", true),
    ] {
        assert_eq!(is_outside(url), outside, "{url}");
    }
}

#[test]
fn handlers_leave_connections_for_storage() {
    for (drains, concurrency, expected) in [
        (2, 32, true),
        (2, 100, true),
        (2, 101, false),
        (1, 200, true),
        (64, 4, false),
        (usize::MAX, 2, false),
    ] {
        assert_eq!(fits(drains, concurrency), expected, "{drains} x {concurrency}");
    }
    // Those of four servers of handlers, which stay open for a while, and a fifth part for all others.
    const { assert!(5 * MAX_HANDLER_CONNECTIONS <= MAX_HOST_CONNECTIONS) };
}
