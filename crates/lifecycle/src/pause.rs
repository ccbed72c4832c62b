//! The pause of the queue: how long a worker uses what it read about it.
//!
//! A worker that reads at most [`MAX_PAUSE_AGE`] before each Get Messages receives nothing later than that after the pause
//! was stored. A read that takes longer proves nothing about the present.

use std::time::Duration;

/// The maximum age of the state of the pause, from the start of the read to the request for messages.
pub const MAX_PAUSE_AGE: Duration = Duration::from_secs(5);

/// Returns whether a state that was read so long ago may still be used.
#[must_use]
pub fn is_current(age: Duration) -> bool {
    age < MAX_PAUSE_AGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_used_for_less_than_5_s() {
        for (millis, expected) in [(0, true), (4_999, true), (5_000, false), (60_000, false)] {
            assert_eq!(is_current(Duration::from_millis(millis)), expected, "{millis} ms");
        }
    }
}
