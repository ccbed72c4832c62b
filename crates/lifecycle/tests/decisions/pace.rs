//! The pace of a replica.

use std::time::Duration;

use lifecycle::pace::{Backoff, DrainOutcome, Ending, MAX_REST, Next, Pace};
use models::DrainReport;

const IDLE_MAX: Duration = Duration::from_secs(5);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn ending(outcome: DrainOutcome) -> Ending {
    Ending { outcome, more: outcome == DrainOutcome::More, rest: None }
}

/// The pauses of a single loop after drains with these endings and without duration.
fn pauses(pace: &mut Pace, endings: &[Ending], fraction: f64) -> Vec<u128> {
    let mut now = Duration::ZERO;
    let pause = |ending: &Ending| {
        pace.ended(0, *ending, now, fraction);
        let wait = match pace.next(0, now) {
            Next::Drain => Duration::ZERO,
            Next::Wait(wait) => wait,
            Next::Stop => panic!("it was not stopped"),
        };
        now += wait;
        wait.as_millis()
    };
    endings.iter().map(pause).collect()
}

#[test]
fn idle_pauses_double_from_100_ms_to_maximum_with_jitter_down_to_half() {
    let idle = [ending(DrainOutcome::Idle); 8];
    let most = pauses(&mut Pace::new(1, IDLE_MAX), &idle, 1.0);
    assert_eq!(most, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    let least = pauses(&mut Pace::new(1, IDLE_MAX), &idle, 0.0);
    assert_eq!(least, [50, 100, 200, 400, 800, 1600, 2500, 2500]);
}

#[test]
fn failures_back_off_from_1_s_to_30_s() {
    let failed = [ending(DrainOutcome::Failed); 7];
    let pauses = pauses(&mut Pace::new(1, IDLE_MAX), &failed, 1.0);
    assert_eq!(pauses, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
}

#[test]
fn work_resets_the_pauses_and_continues_at_once() {
    use DrainOutcome::{Busy, Failed, Idle};
    let endings = [Idle, Idle, Busy, Idle, Failed, Failed, Idle, Failed].map(ending);
    let pauses = pauses(&mut Pace::new(1, IDLE_MAX), &endings, 1.0);
    assert_eq!(pauses, [100, 200, 0, 100, 1000, 2000, 200, 1000]);
}

#[test]
fn more_without_work_keeps_the_shortest_pause() {
    let endings = [DrainOutcome::Idle, DrainOutcome::More, DrainOutcome::More].map(ending);
    assert_eq!(pauses(&mut Pace::new(1, IDLE_MAX), &endings, 1.0), [100, 100, 100]);
}

#[test]
fn drain_that_received_something_waits_as_long_as_its_worker_asks() {
    let report =
        DrainReport { received: 5, lost: 5, retry_after_seconds: Some(30), ..DrainReport::default() };
    let endings = [Ending::of(&report)];
    assert_eq!(pauses(&mut Pace::new(1, IDLE_MAX), &endings, 0.0), [30_000]);
    assert_eq!(pauses(&mut Pace::new(1, IDLE_MAX), &endings, 1.0), [37_500], "never less, a quarter more");
}

#[test]
fn rest_lengthens_a_failure_pause_within_bounds() {
    let failed = |seconds| Ending::failed(Some(Duration::from_secs(seconds)));
    let endings = [failed(7), failed(1), failed(86_400)];
    let longest = MAX_REST.as_millis();
    assert_eq!(pauses(&mut Pace::new(1, IDLE_MAX), &endings, 0.0), [7000, 1000, longest]);
}

#[test]
fn rest_for_one_loop_applies_to_all_loops_of_the_replica() {
    let mut pace = Pace::new(3, IDLE_MAX);
    let throttled = Ending { rest: Some(ms(9_000)), ..ending(DrainOutcome::Busy) };
    pace.ended(1, throttled, ms(1_000), 0.0);
    for index in 0..3 {
        assert_eq!(pace.next(index, ms(1_000)), Next::Wait(ms(9_000)), "loop {index}");
        assert_eq!(pace.next(index, ms(9_999)), Next::Wait(ms(1)), "loop {index}");
        assert_eq!(pace.next(index, ms(10_000)), Next::Drain, "loop {index}");
    }
    // A later, shorter rest does not shorten the first.
    pace.ended(2, Ending { rest: Some(ms(1_000)), ..ending(DrainOutcome::Busy) }, ms(2_000), 0.0);
    assert_eq!(pace.next(0, ms(2_000)), Next::Wait(ms(8_000)));
}

#[test]
fn more_wakes_an_idle_loop_but_does_not_end_a_rest() {
    let mut pace = Pace::new(2, IDLE_MAX);
    for _ in 0..7 {
        pace.ended(0, ending(DrainOutcome::Idle), Duration::ZERO, 1.0);
    }
    assert_eq!(pace.next(0, Duration::ZERO), Next::Wait(IDLE_MAX));
    let busy = Ending { more: true, ..ending(DrainOutcome::Busy) };
    assert!(pace.ended(1, busy, ms(10), 1.0), "one loop has become due");
    assert_eq!(pace.next(0, ms(10)), Next::Drain);
    assert!(!pace.ended(1, busy, ms(20), 1.0), "it is not woken twice");

    let mut pace = Pace::new(3, IDLE_MAX);
    pace.ended(0, Ending { rest: Some(ms(60_000)), ..ending(DrainOutcome::Idle) }, Duration::ZERO, 0.0);
    assert!(pace.ended(1, busy, ms(10), 1.0));
    assert_eq!(pace.next(0, ms(10)), Next::Wait(ms(59_990)), "the rest holds");
}

#[test]
fn failing_loop_keeps_its_pause_when_another_finds_more() {
    let mut pace = Pace::new(2, IDLE_MAX);
    pace.ended(0, Ending::failed(None), Duration::ZERO, 1.0);
    assert!(!pace.ended(1, Ending { more: true, ..ending(DrainOutcome::Busy) }, Duration::ZERO, 1.0));
    assert_eq!(pace.next(0, Duration::ZERO), Next::Wait(ms(1_000)));
}

#[test]
fn stopped_replica_starts_no_drain() {
    let mut pace = Pace::new(2, IDLE_MAX);
    assert_eq!(pace.next(1, Duration::ZERO), Next::Drain);
    assert_eq!(pace.next(2, Duration::ZERO), Next::Stop, "there is no such loop");
    pace.stop();
    assert_eq!(pace.next(1, Duration::MAX), Next::Stop);
}

#[test]
fn each_report_has_one_outcome() {
    let report = |received, purged, more| DrainReport { received, purged, more, ..DrainReport::default() };
    for (report, verdict) in [
        (report(0, 0, false), DrainOutcome::Idle),
        (report(0, 0, true), DrainOutcome::More),
        (report(1, 0, false), DrainOutcome::Busy),
        (report(1, 0, true), DrainOutcome::Busy),
        (report(0, 1, false), DrainOutcome::Busy),
    ] {
        let ending = Ending::of(&report);
        assert_eq!((ending.outcome, ending.more, ending.rest), (verdict, report.more, None), "{report:?}");
    }
}

#[test]
fn number_of_repeats_never_overflows() {
    let backoff = Backoff { first: Duration::from_secs(3600), max: Duration::MAX };
    assert!(backoff.step(u32::MAX) > Duration::from_secs(3600));
}
