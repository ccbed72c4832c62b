//! Bearer tokens, and comparisons whose duration does not depend on the secret.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// Returns the token of `Authorization: Bearer`, without white space around it.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes().trim_ascii();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Returns whether `presented` equals the secret. Compares digests, so that the duration does not depend on the length
/// of the secret either.
#[must_use]
pub fn is_same(presented: &[u8], secret: &[u8]) -> bool {
    Sha256::digest(presented).ct_eq(&Sha256::digest(secret)).into()
}

/// Returns whether `known` contains `digest`. Compares with every entry.
#[must_use]
pub fn is_known(digest: &[u8], known: &[[u8; 32]]) -> bool {
    known.iter().fold(Choice::from(0), |found, known| found | digest.ct_eq(known)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn bearer_scheme_is_case_insensitive() {
        let token = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            bearer(&headers).map(<[u8]>::to_vec)
        };
        for right in ["Bearer sesame", "bearer sesame", "BEARER  sesame "] {
            assert_eq!(token(right).as_deref(), Some(&b"sesame"[..]), "{right}");
        }
        for other in ["", "Bearer", "sesame", "Basic sesame", "Bearers esame"] {
            assert_eq!(token(other), None, "{other}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn only_equal_secrets_match() {
        assert!(is_same(b"sesame", b"sesame") && !is_same(b"sesam", b"sesame") && !is_same(b"", b"sesame"));
        let known = [[1; 32], [2; 32]];
        assert!(is_known(&[2; 32], &known) && !is_known(&[3; 32], &known));
        assert!(!is_known(&[2; 31], &known) && !is_known(&[2; 32], &[]));
    }
}
