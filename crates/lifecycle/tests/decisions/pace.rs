//! When a replica drains next.

use std::time::Duration;

use lifecycle::pace::{Backoff, Ending, LONGEST_REST, Next, Pace, Verdict};
use models::DrainReport;

const IDLE_MAX: Duration = Duration::from_secs(5);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn ending(verdict: Verdict) -> Ending {
    Ending { verdict, more: verdict == Verdict::More, rest: None }
}

/// The pauses of one loop alone after drains of no length that end so.
fn pauses(pace: &mut Pace, endings: &[Ending], fraction: f64) -> Vec<u128> {
    let mut now = Duration::ZERO;
    let pause = |ending: &Ending| {
        pace.ended(0, *ending, now, fraction);
        let wait = match pace.next(0, now) {
            Next::Drain => Duration::ZERO,
            Next::Wait(wait) => wait,
            Next::Stop => panic!("nobody stopped it"),
        };
        now += wait;
        wait.as_millis()
    };
    endings.iter().map(pause).collect()
}

#[test]
fn idle_pauses_double_from_100_ms_to_maximum_with_jitter_down_to_half() {
    let idle = [ending(Verdict::Idle); 8];
    let most = pauses(&mut Pace::new(1, IDLE_MAX), &idle, 1.0);
    assert_eq!(most, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    let least = pauses(&mut Pace::new(1, IDLE_MAX), &idle, 0.0);
    assert_eq!(least, [50, 100, 200, 400, 800, 1600, 2500, 2500]);
}

#[test]
fn failures_back_off_from_1_s_to_30_s() {
    let failed = [ending(Verdict::Failed); 7];
    let pauses = pauses(&mut Pace::new(1, IDLE_MAX), &failed, 1.0);
    assert_eq!(pauses, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
}

#[test]
fn work_means_going_on_at_once_and_starting_over() {
    use Verdict::{Busy, Failed, Idle};
    let endings = [Idle, Idle, Busy, Idle, Failed, Failed, Idle, Failed].map(ending);
    let pauses = pauses(&mut Pace::new(1, IDLE_MAX), &endings, 1.0);
    assert_eq!(pauses, [100, 200, 0, 100, 1000, 2000, 200, 1000]);
}

#[test]
fn more_without_work_never_spins_and_never_slows_down() {
    let endings = [Verdict::Idle, Verdict::More, Verdict::More].map(ending);
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
fn rest_lengthens_a_failure_s_pause_within_bounds() {
    let failed = |seconds| Ending::failed(Some(Duration::from_secs(seconds)));
    let endings = [failed(7), failed(1), failed(86_400)];
    let longest = LONGEST_REST.as_millis();
    assert_eq!(pauses(&mut Pace::new(1, IDLE_MAX), &endings, 0.0), [7000, 1000, longest]);
}

#[test]
fn one_loop_told_to_wait_holds_back_every_loop_of_the_replica() {
    let mut pace = Pace::new(3, IDLE_MAX);
    let throttled = Ending { rest: Some(ms(9_000)), ..ending(Verdict::Busy) };
    pace.ended(1, throttled, ms(1_000), 0.0);
    for index in 0..3 {
        assert_eq!(pace.next(index, ms(1_000)), Next::Wait(ms(9_000)), "loop {index}");
        assert_eq!(pace.next(index, ms(9_999)), Next::Wait(ms(1)), "loop {index}");
        assert_eq!(pace.next(index, ms(10_000)), Next::Drain, "loop {index}");
    }
    // A shorter rest, told later to another loop, does not shorten the first.
    pace.ended(2, Ending { rest: Some(ms(1_000)), ..ending(Verdict::Busy) }, ms(2_000), 0.0);
    assert_eq!(pace.next(0, ms(2_000)), Next::Wait(ms(8_000)));
}

#[test]
fn idle_loop_is_woken_by_more_but_not_from_a_rest() {
    let mut pace = Pace::new(2, IDLE_MAX);
    for _ in 0..7 {
        pace.ended(0, ending(Verdict::Idle), Duration::ZERO, 1.0);
    }
    assert_eq!(pace.next(0, Duration::ZERO), Next::Wait(IDLE_MAX));
    let busy = Ending { more: true, ..ending(Verdict::Busy) };
    assert!(pace.ended(1, busy, ms(10), 1.0), "one loop has become due");
    assert_eq!(pace.next(0, ms(10)), Next::Drain);
    assert!(!pace.ended(1, busy, ms(20), 1.0), "it is not woken twice");

    let mut pace = Pace::new(3, IDLE_MAX);
    pace.ended(0, Ending { rest: Some(ms(60_000)), ..ending(Verdict::Idle) }, Duration::ZERO, 0.0);
    assert!(pace.ended(1, busy, ms(10), 1.0));
    assert_eq!(pace.next(0, ms(10)), Next::Wait(ms(59_990)), "the rest holds");
}

#[test]
fn failing_loop_keeps_its_pause_when_another_finds_more() {
    let mut pace = Pace::new(2, IDLE_MAX);
    pace.ended(0, Ending::failed(None), Duration::ZERO, 1.0);
    assert!(!pace.ended(1, Ending { more: true, ..ending(Verdict::Busy) }, Duration::ZERO, 1.0));
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
fn each_report_has_one_verdict() {
    let report = |received, purged, more| DrainReport { received, purged, more, ..DrainReport::default() };
    for (report, verdict) in [
        (report(0, 0, false), Verdict::Idle),
        (report(0, 0, true), Verdict::More),
        (report(1, 0, false), Verdict::Busy),
        (report(1, 0, true), Verdict::Busy),
        (report(0, 1, false), Verdict::Busy),
    ] {
        let ending = Ending::of(&report);
        assert_eq!((ending.verdict, ending.more, ending.rest), (verdict, report.more, None), "{report:?}");
    }
}

#[test]
fn no_count_of_repeats_overflows() {
    let backoff = Backoff { first: Duration::from_secs(3600), max: Duration::MAX };
    assert!(backoff.step(u32::MAX) > Duration::from_secs(3600));
}
