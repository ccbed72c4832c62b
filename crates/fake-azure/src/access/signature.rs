//! HMAC-SHA256 with an account key or another secret.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key, ready to sign. Its `Debug` shows nothing.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// HMAC takes keys of every length; `None` is for the type's sake only.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(bytes).ok().map(Self)
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.0.clone().chain_update(text.as_bytes()).finalize().into_bytes().to_vec()
    }

    /// Whether `signature` (base64) is that of `text`.
    pub(crate) fn verify(&self, text: &str, signature: &str) -> bool {
        STANDARD
            .decode(signature)
            .is_ok_and(|bytes| self.0.clone().chain_update(text.as_bytes()).verify_slice(&bytes).is_ok())
    }
}
