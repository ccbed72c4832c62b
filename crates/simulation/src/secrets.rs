//! P7: finds any known secret in any text.

use std::collections::HashSet;

/// Length of the beginning of a secret by which it is found.
const PREFIX: usize = 8;

/// Texts that must not be shown. Short ones are not looked for: they would be found by chance.
#[derive(Debug, Default)]
pub struct Secrets {
    whole: HashSet<String>,
    /// One bit for each hash of the first [`PREFIX`] bytes of a secret: most places of a text are passed
    /// over with one look.
    filter: Vec<u64>,
    latest: Option<String>,
}

fn slot(window: &[u8]) -> usize {
    let mut bytes = [0; PREFIX];
    for (to, from) in bytes.iter_mut().zip(window) {
        *to = *from;
    }
    let mixed = u64::from_le_bytes(bytes).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 50).unwrap_or(0)
}

impl Secrets {
    /// Adds a secret, as it is and as it is spelled in a query.
    pub fn add(&mut self, secret: &str) {
        if secret.len() < PREFIX + 4 || self.whole.contains(secret) {
            return;
        }
        let encoded = secret.replace('%', "%25").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        self.filter.resize(256, 0);
        for text in [secret.to_owned(), encoded] {
            let bit = slot(text.as_bytes());
            if let Some(word) = self.filter.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
            self.whole.insert(text);
        }
    }

    /// Adds a pop receipt.
    pub fn add_receipt(&mut self, receipt: &str) {
        self.add(receipt);
        self.latest = Some(receipt.to_owned());
    }

    /// The pop receipt that was seen last, if any: for a mutation that leaks it.
    #[must_use]
    pub fn any_receipt(&self) -> Option<&str> {
        self.latest.as_deref()
    }

    /// A secret that is part of `text`, or a pattern that only secrets have.
    #[must_use]
    pub fn find<'a>(&'a self, text: &str) -> Option<&'a str> {
        for pattern in ["sig=", "AccountKey=", "SharedKey ", "Bearer ey", "popreceipt="] {
            if text.contains(pattern) {
                return Some(pattern);
            }
        }
        let bytes = text.as_bytes();
        for (start, window) in bytes.windows(PREFIX).enumerate() {
            let bit = slot(window);
            if self.filter.get(bit / 64).is_none_or(|word| word & (1 << (bit % 64)) == 0) {
                continue;
            }
            let rest = bytes.get(start..).unwrap_or_default();
            if let Some(found) = self.whole.iter().find(|secret| rest.starts_with(secret.as_bytes())) {
                return Some(found);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_found_inside_text_in_both_spellings() {
        let mut secrets = Secrets::default();
        secrets.add("a/secret+receipt==");
        assert!(secrets.find("before a/secret+receipt== after").is_some());
        assert!(secrets.find("x=a%2Fsecret%2Breceipt%3D%3D").is_some());
        assert!(secrets.find("a/secret receipt==").is_none());
        assert!(secrets.find("GET https://x/y?sig=abc").is_some());
        assert!(secrets.find("").is_none());
    }
}
