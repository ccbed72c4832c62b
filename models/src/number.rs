/// A JSON number for comparison by value at any size, precision and spelling: `1`, `1.0` and `10e-1` are equal, `-0`
/// equals `0`.
///
/// Digits are compared as text without arithmetic, so that the cost of `1e999999999` depends on its length only.
/// Numbers with different values are never equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    /// The significant digits, without leading and trailing zeros. Empty means zero.
    digits: String,
    /// The power of ten by which the digits, read as a whole number, are multiplied.
    exponent: Exponent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Exponent {
    Small(i64),
    /// An exponent of more than 17 digits as text, and the number that the position of the point adds to it. Two
    /// spellings of one such value may differ; two different values never agree.
    Huge {
        written: String,
        shift: i64,
    },
}

/// Exponents with more digits are compared as text.
const MAX_EXPONENT_DIGITS: usize = 17;

impl Number {
    /// Parses the text of a JSON number.
    pub(crate) fn of(text: &str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        let significant = all.trim_end_matches('0');
        let zeros = length(&all) - length(significant);
        let digits = significant.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: Exponent::Small(0) };
        }
        Self { negative, digits, exponent: Exponent::of(exponent, zeros - length(fraction)) }
    }
}

impl Exponent {
    fn of(written: &str, shift: i64) -> Self {
        let (sign, digits) = match written.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, written.strip_prefix('+').unwrap_or(written)),
        };
        let digits = digits.trim_start_matches('0');
        if digits.len() <= MAX_EXPONENT_DIGITS {
            let value: i64 = digits.parse().unwrap_or(0);
            return Self::Small(sign * value + shift);
        }
        let sign = if sign < 0 { "-" } else { "" };
        Self::Huge { written: format!("{sign}{digits}"), shift }
    }
}

/// A body is far smaller than 2^63 bytes, so the conversion does not saturate.
fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(a: &str, b: &str) -> bool {
        Number::of(a) == Number::of(b)
    }

    #[test]
    fn equal_numbers_are_equal_in_every_spelling() {
        for (a, b) in [
            ("1", "1.0"),
            ("1", "1e0"),
            ("1", "10e-1"),
            ("1", "0.1E+1"),
            ("100", "1e2"),
            ("-0", "0"),
            ("0e5", "-0.000"),
            ("1000000000000000000000", "1e21"),
            ("-12.50", "-1250E-2"),
            ("1e400", "10e399"),
            ("1e00000000000000000000002", "100"),
            ("0.30000000000000004", "30000000000000004e-17"),
            ("1e99999999999999999999", "1e+99999999999999999999"),
        ] {
            assert!(equal(a, b), "{a} {b}");
        }
    }

    #[test]
    fn different_numbers_differ_at_any_size_and_precision() {
        for (a, b) in [
            ("1000000000000000000001", "1000000000000000000002"),
            ("18446744073709551615", "18446744073709551616"),
            ("9007199254740993", "9007199254740992"),
            ("0.1", "0.10000000000000000001"),
            ("1e400", "1e401"),
            ("1e-400", "0"),
            ("1", "-1"),
            ("10", "1"),
            ("1e99999999999999999999", "1e99999999999999999998"),
            ("1e99999999999999999999", "1e-99999999999999999999"),
            ("1e99999999999999999999", "1e400"),
        ] {
            assert!(!equal(a, b), "{a} {b}");
        }
    }
}
