//! Two costs, compared within each of many rounds.
//!
//! A machine that other programs use too grows slower and faster by factors. Both sides of a round meet
//! about the same machine, so a round's ratio says something where its two times alone do not.

use std::fmt;

/// With fewer rounds than this there is no ratio.
pub const MIN_ROUNDS: usize = 5;

/// Costs of two sides, round by round.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    rounds: Vec<(f64, f64)>,
}

/// The median of the rounds' ratios, and the middle half of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Half of the rounds are below.
    pub median: f64,
    /// A quarter of the rounds is below.
    pub low: f64,
    /// A quarter of the rounds is above.
    pub high: f64,
    /// How many rounds there were.
    pub rounds: usize,
    /// Median costs of the two sides, in the unit that was given.
    pub costs: (f64, f64),
}

/// There are not enough rounds for a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFewRounds(
    /// So many there are.
    pub usize,
);

impl fmt::Display for TooFewRounds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} usable rounds are too few for a ratio: at least {MIN_ROUNDS} are needed",
            self.0
        )
    }
}

impl std::error::Error for TooFewRounds {}

impl Comparison {
    /// Adds one round: what `this` and `that` cost, in any unit, the same for both. A round in which either
    /// was too short for the clock counts for nothing.
    pub fn add(&mut self, this: f64, that: f64) {
        if this > 0.0 && that > 0.0 {
            self.rounds.push((this, that));
        }
    }

    /// How many times `that` one `this` costs.
    ///
    /// # Errors
    /// [`TooFewRounds`].
    pub fn ratio(&self) -> Result<Ratio, TooFewRounds> {
        if self.rounds.len() < MIN_ROUNDS {
            return Err(TooFewRounds(self.rounds.len()));
        }
        let ratios: Vec<f64> = self.rounds.iter().map(|(this, that)| this / that).collect();
        let these: Vec<f64> = self.rounds.iter().map(|(this, _)| *this).collect();
        let those: Vec<f64> = self.rounds.iter().map(|(_, that)| *that).collect();
        Ok(Ratio {
            median: quantile(&ratios, 2),
            low: quantile(&ratios, 1),
            high: quantile(&ratios, 3),
            rounds: self.rounds.len(),
            costs: (quantile(&these, 2), quantile(&those, 2)),
        })
    }
}

/// The value below which so many quarters of `values` are; the mean of its neighbours when it falls between.
fn quantile(values: &[f64], quarters: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = sorted.len().saturating_sub(1) * quarters;
    let below = sorted.get(at / 4).copied().unwrap_or(f64::NAN);
    let above = sorted.get(at.div_ceil(4)).copied().unwrap_or(f64::NAN);
    f64::midpoint(below, above)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rounds: &[(f64, f64)]) -> Comparison {
        let mut comparison = Comparison::default();
        for (this, that) in rounds {
            comparison.add(*this, *that);
        }
        comparison
    }

    #[test]
    fn ratio_is_stable_on_a_machine_that_slows_down() {
        let drifting: Vec<_> = (1..=9).map(|round| f64::from(round) * 1.25).map(|x| (3.0 * x, x)).collect();
        let ratio = of(&drifting).ratio().unwrap();
        assert!((ratio.median - 3.0).abs() < 1e-9 && (ratio.high - ratio.low).abs() < 1e-9, "{ratio:?}");
    }

    #[test]
    fn one_disturbed_round_moves_neither_median_nor_spread() {
        let mut rounds = vec![(2.0, 1.0); 8];
        rounds.push((500.0, 1.0));
        let ratio = of(&rounds).ratio().unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high, ratio.rounds), (2.0, 2.0, 2.0, 9));
    }

    #[test]
    fn spread_is_the_middle_half() {
        let rounds: Vec<_> = (1..=5).map(|round| (f64::from(round), 1.0)).collect();
        let ratio = of(&rounds).ratio().unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 3.0, 4.0));
    }

    #[test]
    fn no_ratio_comes_from_too_few_measured_rounds() {
        let mut comparison = of(&[(1.0, 1.0); MIN_ROUNDS - 1]);
        comparison.add(0.0, 1.0);
        comparison.add(1.0, 0.0);
        assert_eq!(comparison.ratio(), Err(TooFewRounds(MIN_ROUNDS - 1)));
        comparison.add(1.0, 1.0);
        assert!(comparison.ratio().is_ok());
    }
}
