//! Dice that fall the same way for the same seed, on every machine and in every version.

/// A seeded generator (SplitMix64): small, fast, and good enough to choose scenarios.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice for one purpose, unrelated to those of any other purpose: a change in how one part rolls
    /// leaves the rest of a scenario as it was.
    #[must_use]
    pub fn fork(seed: u64, purpose: u64) -> Self {
        let mut mixed = Self(seed ^ purpose.wrapping_mul(0xA24B_AED4_963E_E407));
        mixed.bits();
        Self(mixed.bits())
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A uniform number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias of a remainder is far below what a scenario could notice.
        self.bits().checked_rem(bound).unwrap_or(0)
    }

    /// A uniform number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// An index below `length`; 0 when `length` is 0.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of `choices`, which must not be empty.
    pub fn one_of<T: Clone>(&mut self, first: T, rest: &[T]) -> T {
        match self.index(rest.len() + 1) {
            0 => first,
            n => rest.get(n - 1).cloned().unwrap_or(first),
        }
    }
}
