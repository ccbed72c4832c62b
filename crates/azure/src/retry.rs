//! Retry decisions: whether and when a failed try is repeated. Pure values; the send loop waits.

use std::time::Duration;

use crate::{Instant, Limits, TransportError};

/// How often a call is tried, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Maximum number of tries, the first one included; at least 1.
    pub max_tries: u32,
    /// Maximum first wait; doubled for each further one.
    pub base: Duration,
    /// Maximum wait, unless the service asks for a longer one.
    pub cap: Duration,
    /// Maximum time for the whole call, with all its tries and waits. Fetching a token or secret first has a
    /// deadline of its own (10 s).
    pub deadline: Duration,
    /// Limits of each try.
    pub limits: Limits,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_tries: 5,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(5),
            deadline: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

/// The effect of repeating a call. Set where the call is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Repeating is safe: the operation is idempotent, or a repeat is rejected in a way the caller recognises.
    Idempotent,
    /// A repeat may have the effect twice. The receivers tolerate duplicates; losing the call would be worse.
    MayDuplicate,
    /// A repeat after a successful try is rejected, and that looks like a conflict with another client. The call is
    /// only repeated if the failed try certainly had no effect.
    OnlyWithoutEffect,
}

/// The result of a try, as far as a retry depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TryResult<'a> {
    /// There is no response.
    Error(&'a TransportError),
    /// The status of the response, and how long the service asks to wait.
    Status(u16, Option<Duration>),
}

impl TryResult<'_> {
    /// Whether another try may succeed and is safe.
    fn is_retryable(self, repeat: Repeat) -> bool {
        use TransportError::{Connect, Denied, Interrupted, Timeout, TooLarge};
        match self {
            // The service rejected it before any effect, or it was never sent.
            Self::Error(Connect(_)) | Self::Status(429 | 503, _) => true,
            Self::Error(Timeout | Interrupted(_)) | Self::Status(408 | 500 | 502 | 504, _) => {
                repeat != Repeat::OnlyWithoutEffect
            }
            Self::Error(Denied(_) | TooLarge(_)) | Self::Status(..) => false,
        }
    }

    /// Whether the failed try may have had its effect.
    pub(crate) fn may_have_had_effect(self) -> bool {
        match self {
            Self::Error(error) => !error.is_before_effect(),
            Self::Status(status, _) => !matches!(status, 429 | 503),
        }
    }
}

impl RetryPolicy {
    /// How long to wait before the next try; `None` if there is to be none.
    ///
    /// `tries` have been made, and the first one began `elapsed` ago. Exponential back-off with full jitter: `random`,
    /// 64 uniform bits, selects a wait between zero and `min(cap, base * 2^(tries - 1))`. If the service asks for a
    /// longer wait, that one is returned. A wait that reaches the deadline is `None`.
    pub(crate) fn next_wait(
        &self,
        tries: u32,
        elapsed: Duration,
        result: TryResult<'_>,
        repeat: Repeat,
        random: u64,
    ) -> Option<Duration> {
        if tries >= self.max_tries || !result.is_retryable(repeat) {
            return None;
        }
        let doubled = 1u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = jitter(self.base.saturating_mul(doubled).min(self.cap), random);
        let asked = match result {
            TryResult::Status(_, asked) => asked.unwrap_or_default(),
            TryResult::Error(_) => Duration::ZERO,
        };
        let wait = wait.max(asked);
        (elapsed.saturating_add(wait) < self.deadline).then_some(wait)
    }
}

/// A duration uniformly distributed over `window`, selected by 64 uniform bits.
pub(crate) fn jitter(window: Duration, random: u64) -> Duration {
    let nanos = (window.as_nanos().min(u128::from(u64::MAX)) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The tries of one call.
#[derive(Debug)]
pub(crate) struct Tries {
    policy: RetryPolicy,
    repeat: Repeat,
    began: Instant,
    made: u32,
    ambiguous: bool,
}

impl Tries {
    pub(crate) fn new(policy: RetryPolicy, repeat: Repeat, now: Instant) -> Self {
        Self { policy, repeat, began: now, made: 0, ambiguous: false }
    }

    /// The limits of the next try: those of the policy, but at most the time left until the deadline. At least a
    /// second, because a try with a renewed credential may begin after the deadline.
    pub(crate) fn limits(&self, now: Instant) -> Limits {
        let left = self.policy.deadline.saturating_sub(now.since(self.began)).max(Duration::from_secs(1));
        let limits = self.policy.limits;
        let first_byte = limits.first_byte.min(left);
        // What is left after the head: a response whose body arrives in one chunk then ends within the total limit.
        let body = left.saturating_sub(first_byte).max(Duration::from_secs(1));
        Limits {
            connect: limits.connect.min(left),
            first_byte,
            between_bytes: limits.between_bytes.min(body),
            total: limits.total.min(left),
            max_response_bytes: limits.max_response_bytes,
        }
    }

    /// Records a try. Returns how long to wait before the next one; `None` if there is to be none.
    ///
    /// `now` is called only if another try is possible.
    pub(crate) fn record(
        &mut self,
        result: TryResult<'_>,
        now: impl FnOnce() -> Instant,
        random: u64,
    ) -> Option<Duration> {
        self.made = self.made.saturating_add(1);
        if !result.is_retryable(self.repeat) {
            return None;
        }
        let elapsed = now().since(self.began);
        let wait = self.policy.next_wait(self.made, elapsed, result, self.repeat, random);
        self.ambiguous |= wait.is_some() && result.may_have_had_effect();
        wait
    }

    /// Whether an earlier, failed try may have had its effect.
    pub(crate) fn are_ambiguous(&self) -> bool {
        self.ambiguous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_tries: 6,
        base: Duration::from_millis(200),
        cap: Duration::from_secs(2),
        deadline: Duration::from_secs(30),
        limits: Limits {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(15),
            between_bytes: Duration::from_secs(15),
            total: Duration::from_secs(30),
            max_response_bytes: 1024,
        },
    };
    const HALF: u64 = 1 << 63;

    fn wait(tries: u32, result: TryResult<'_>, random: u64) -> Option<u128> {
        POLICY
            .next_wait(tries, Duration::ZERO, result, Repeat::Idempotent, random)
            .map(|wait| wait.as_millis())
    }

    #[test]
    fn waits_double_up_to_the_cap_with_full_jitter() {
        let busy = TryResult::Status(503, None);
        let at = |random| (1..=6).map(|tries| wait(tries, busy, random)).collect::<Vec<_>>();
        assert_eq!(at(0), [Some(0), Some(0), Some(0), Some(0), Some(0), None]);
        assert_eq!(at(HALF), [Some(100), Some(200), Some(400), Some(800), Some(1000), None]);
        assert_eq!(at(u64::MAX), [Some(199), Some(399), Some(799), Some(1599), Some(1999), None]);
        assert_eq!(jitter(Duration::MAX, u64::MAX).as_nanos(), u128::from(u64::MAX - 1));
    }

    #[test]
    fn longer_wait_of_the_service_is_obeyed() {
        assert_eq!(wait(1, TryResult::Status(429, Some(Duration::from_secs(7))), HALF), Some(7000));
        assert_eq!(wait(1, TryResult::Status(429, Some(Duration::from_millis(1))), HALF), Some(100));
        assert_eq!(
            wait(1, TryResult::Status(429, Some(Duration::from_secs(30))), HALF),
            None,
            "beyond the deadline"
        );
    }

    #[test]
    fn no_try_begins_after_the_deadline() {
        let late = |elapsed| {
            POLICY.next_wait(
                1,
                Duration::from_secs(elapsed),
                TryResult::Status(503, None),
                Repeat::Idempotent,
                HALF,
            )
        };
        assert!(late(29).is_some());
        assert!(late(30).is_none());
        let began = Instant::default();
        let tries = Tries::new(POLICY, Repeat::Idempotent, began);
        assert_eq!(tries.limits(began).total, Duration::from_secs(30));
        assert_eq!(tries.limits(began.plus(Duration::from_secs(20))).total, Duration::from_secs(10));
        assert_eq!(tries.limits(began.plus(Duration::from_secs(90))).total, Duration::from_secs(1));
        for elapsed in 0..40 {
            let limits = tries.limits(began.plus(Duration::from_secs(elapsed)));
            let second = Duration::from_secs(1);
            assert!(
                limits.first_byte + limits.between_bytes <= limits.total + second,
                "one chunk: {limits:?}"
            );
            assert!(limits.between_bytes <= (limits.total / 2).max(second), "many chunks: {limits:?}");
        }
    }

    #[test]
    fn only_safe_and_temporary_failures_are_retried() {
        let connect = TransportError::Connect(String::new());
        let timeout = TransportError::Timeout;
        let broken = TransportError::Interrupted(String::new());
        let denied = TransportError::Denied(String::new());
        let large = TransportError::TooLarge(1);
        let table = [
            // result, idempotent, may duplicate, only without effect
            (TryResult::Error(&connect), true, true, true),
            (TryResult::Error(&timeout), true, true, false),
            (TryResult::Error(&broken), true, true, false),
            (TryResult::Error(&denied), false, false, false),
            (TryResult::Error(&large), false, false, false),
            (TryResult::Status(408, None), true, true, false),
            (TryResult::Status(429, None), true, true, true),
            (TryResult::Status(500, None), true, true, false),
            (TryResult::Status(502, None), true, true, false),
            (TryResult::Status(503, None), true, true, true),
            (TryResult::Status(504, None), true, true, false),
            (TryResult::Status(200, None), false, false, false),
            (TryResult::Status(400, None), false, false, false),
            (TryResult::Status(401, None), false, false, false),
            (TryResult::Status(403, None), false, false, false),
            (TryResult::Status(404, None), false, false, false),
            (TryResult::Status(409, None), false, false, false),
            (TryResult::Status(412, None), false, false, false),
            (TryResult::Status(501, None), false, false, false),
        ];
        for (result, idempotent, duplicate, cautious) in table {
            let again = |repeat| result.is_retryable(repeat);
            assert_eq!(
                (again(Repeat::Idempotent), again(Repeat::MayDuplicate), again(Repeat::OnlyWithoutEffect)),
                (idempotent, duplicate, cautious),
                "{result:?}"
            );
        }
    }
}
