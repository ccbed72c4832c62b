//! Ids, ETags and receipts from a seed and a counter: the same requests give the same responses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

/// Gives out values that look random and never repeat within one seed.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    seed: u64,
    counter: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    /// How many values were given out; a restart continues there.
    pub(crate) fn counter(&self) -> u64 {
        self.counter
    }

    /// Continues after `counter`.
    pub(crate) fn resume(&mut self, counter: u64) {
        self.counter = self.counter.max(counter);
    }

    /// The number of the next message: counts up, so that it orders.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        self.counter
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(self.seed ^ mix(self.counter))
    }

    /// A GUID, lower-case and hyphenated.
    pub(crate) fn guid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }

    /// An ETag with its quotes.
    pub(crate) fn etag(&mut self) -> String {
        format!("\"0x8D{:013X}\"", self.next() >> 12)
    }

    /// A pop receipt. It names the message it belongs to, so that a receipt of another message can be told
    /// from an old one of the same message; `+`, `/` and `=` occur, as on Azure.
    pub(crate) fn receipt(&mut self, message: u64) -> String {
        let mut bytes = Vec::with_capacity(17);
        bytes.push(0xfb);
        bytes.extend_from_slice(&(message ^ mix(self.seed)).to_be_bytes());
        bytes.extend_from_slice(&self.next().to_be_bytes());
        STANDARD.encode(bytes)
    }

    /// Whether `receipt` was made by [`Ids::receipt`] for `message`.
    pub(crate) fn is_receipt_of(&self, receipt: &str, message: u64) -> bool {
        let Ok(bytes) = STANDARD.decode(receipt) else { return false };
        bytes.len() == 17 && bytes.get(1..9) == Some((message ^ mix(self.seed)).to_be_bytes().as_slice())
    }
}

/// The first value of SplitMix64 from the seed `value`: one to one, so different counters give different values.
pub(crate) fn mix(value: u64) -> u64 {
    SplitMix64::seed_from_u64(value).next_u64()
}
