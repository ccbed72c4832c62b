//! User delegation keys, which sign links when there is no account key
//! (<https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key>).

use std::time::Duration;

use http::Method;
use time::OffsetDateTime;

use crate::cache::{Freshness, Now};
use crate::call::{Call, Service};
use crate::moment::{iso, minus, parse_iso, plus, round_down};
use crate::response::ServiceResponse;
use crate::sas::DelegationKey;
use crate::shared_key::Key;
use crate::xml::Shape;
use crate::{Error, Instant};

/// Maximum validity of a key: the service issues keys for seven days at most, and its clock may be behind ours.
const MAX_VALIDITY: Duration = Duration::from_secs(7 * 86_400 - 15 * 60);
/// Extra lifetime requested beyond the first link's, so that the key can sign later links too. Kept short because
/// revoking delegation keys only takes full effect when the cached key expires.
const SPARE_LIFETIME: Duration = Duration::from_secs(2 * 3600);
/// How far before now a key begins, because the service's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(300);
/// How long a key of maximum validity is reused for links that would outlive it. Such a link expires with the key.
const MAX_SHARED_AGE: Duration = Duration::from_secs(3600);

const KEY: Shape = Shape {
    root: "UserDelegationKey",
    record: "",
    leaves: &[
        "SignedOid",
        "SignedTid",
        "SignedStart",
        "SignedExpiry",
        "SignedService",
        "SignedVersion",
        "Value",
    ],
};

/// A key, and when it expires.
#[derive(Debug)]
pub(crate) struct CachedDelegationKey {
    pub(crate) key: DelegationKey,
    pub(crate) expires_at: OffsetDateTime,
    issued_at: Instant,
    /// Whether it has the maximum validity.
    is_longest: bool,
}

impl CachedDelegationKey {
    /// Whether a link that expires at `expiry` can be signed with the key: a link is invalid after its key has expired.
    pub(crate) fn freshness(&self, expiry: OffsetDateTime, now: Now) -> Freshness {
        let shared = self.is_longest && now.instant.since(self.issued_at) < MAX_SHARED_AGE;
        if now.wall < self.expires_at && (expiry <= self.expires_at || shared) {
            Freshness::Fresh
        } else {
            Freshness::Expired
        }
    }
}

/// The validity to request for a key that signs links of `lifetime`.
fn validity(lifetime: Duration) -> Duration {
    lifetime.saturating_add(SPARE_LIFETIME).min(MAX_VALIDITY)
}

/// The call that gets a key for links of `lifetime`.
pub(crate) fn call(lifetime: Duration, now: OffsetDateTime) -> Call {
    // Whole seconds: the service refuses fractions.
    let start = iso(round_down(minus(now, CLOCK_SKEW)));
    let expiry = iso(round_down(plus(now, validity(lifetime))));
    Call::new("Get User Delegation Key", Service::Blob, Method::POST, "/".to_owned())
        .query("restype", "service")
        .query("comp", "userdelegationkey")
        .xml_body(format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>"
        ))
}

/// Reads the key from the response.
pub(crate) fn parse(
    response: &ServiceResponse,
    lifetime: Duration,
    now: Now,
) -> Result<CachedDelegationKey, Error> {
    if response.status != 200 {
        return Err(response.error());
    }
    let document = response.xml(KEY)?;
    let field = |name: &str| match document.fields.get(name) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(response.unexpected(format!("a delegation key without {name}"))),
    };
    let expiry = field("SignedExpiry")?;
    let expires_at = parse_iso(&expiry).filter(|moment| *moment > now.wall);
    Ok(CachedDelegationKey {
        expires_at: expires_at
            .ok_or_else(|| response.unexpected("a delegation key that has expired already"))?,
        key: DelegationKey {
            oid: field("SignedOid")?,
            tid: field("SignedTid")?,
            start: field("SignedStart")?,
            expiry,
            service: field("SignedService")?,
            version: field("SignedVersion")?,
            key: Key::from_base64(&field("Value")?)
                .ok_or_else(|| response.unexpected("a delegation key that is not Base64"))?,
        },
        issued_at: now.instant,
        is_longest: validity(lifetime) == MAX_VALIDITY,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Part;
    use bytes::Bytes;
    use http::Response;

    const MINUTES: Duration = Duration::from_secs(600);

    fn now() -> OffsetDateTime {
        parse_iso("2026-11-20T10:00:00.5Z").unwrap()
    }

    fn at(wall: OffsetDateTime, seconds: u64) -> Now {
        Now { wall, instant: Instant::since_origin(Duration::from_secs(seconds)) }
    }

    fn parse_response(status: u16, body: &str, lifetime: Duration) -> Result<CachedDelegationKey, Error> {
        let response =
            Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        parse(
            &ServiceResponse::new("Get User Delegation Key", Part::Blob, response, now),
            lifetime,
            at(now(), 0),
        )
    }

    fn document(expiry: &str, value: &str) -> String {
        format!(
            "<UserDelegationKey><Value>{value}</Value><SignedOid>o</SignedOid><SignedTid>t</SignedTid>\
             <SignedStart>2026-11-20T09:55:00Z</SignedStart><SignedExpiry>{expiry}</SignedExpiry>\
             <SignedService>b</SignedService><SignedVersion>2026-06-06</SignedVersion></UserDelegationKey>"
        )
    }

    #[test]
    fn key_request_has_whole_seconds_and_spare_lifetime() {
        let call = call(MINUTES, now());
        assert_eq!(
            std::str::from_utf8(&call.body).unwrap(),
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>2026-11-20T09:55:00Z</Start>\
             <Expiry>2026-11-20T12:10:00Z</Expiry></KeyInfo>"
        );
        assert_eq!(call.query, [("restype", "service".into()), ("comp", "userdelegationkey".into())]);
    }

    #[test]
    fn key_signs_only_links_that_expire_before_it() {
        let cached = parse_response(200, &document("2026-11-20T12:10:00Z", "aGlkZGVu"), MINUTES).unwrap();
        assert_eq!(cached.key.version, "2026-06-06", "copied, not assumed");
        let until = |text: &str| cached.freshness(parse_iso(text).unwrap(), at(now(), 1));
        assert_eq!(until("2026-11-20T12:10:00Z"), Freshness::Fresh);
        assert_eq!(until("2026-11-20T12:10:01Z"), Freshness::Expired);
        assert!(!format!("{cached:?}").contains("104, 105"), "the key is not shown");
    }

    #[test]
    fn longest_key_is_shared_for_an_hour() {
        let week = Duration::from_secs(7 * 86_400);
        let cached = parse_response(200, &document("2026-11-27T09:45:00Z", "aGlkZGVu"), week).unwrap();
        let expiry = now() + week;
        assert_eq!(cached.freshness(expiry, at(now(), 0)), Freshness::Fresh);
        let hour = MAX_SHARED_AGE.as_secs();
        assert_eq!(
            cached.freshness(expiry + MAX_SHARED_AGE, at(now() + MAX_SHARED_AGE, hour)),
            Freshness::Expired
        );
        // The wall clock does not matter.
        assert_eq!(cached.freshness(expiry, at(now() - MAX_SHARED_AGE, hour)), Freshness::Expired);
        assert_eq!(cached.freshness(expiry, at(now() - MAX_SHARED_AGE, hour - 1)), Freshness::Fresh);
    }

    #[test]
    fn invalid_key_is_an_error() {
        for body in [
            String::new(),
            "<html/>".to_owned(),
            "<UserDelegationKey/>".to_owned(),
            document("2026-11-20T09:59:59Z", "aGlkZGVu"),
            document("tomorrow", "aGlkZGVu"),
            document("2026-11-20T12:10:00Z", "not base64"),
        ] {
            assert!(parse_response(200, &body, MINUTES).is_err(), "{body}");
        }
        assert!(
            parse_response(403, "", MINUTES)
                .unwrap_err()
                .to_string()
                .contains("Storage refused the credentials")
        );
    }
}
