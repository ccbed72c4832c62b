//! User delegation keys: signing keys for links when there is no account key
//! (<https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key>).

use std::time::Duration;

use http::Method;
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::cache::{Fitness, Now};
use crate::call::{Call, Service};
use crate::moment::{iso, minus, parse_iso, plus, round_down};
use crate::sas::DelegationKey;
use crate::shared_key::Key;
use crate::xml::Shape;
use crate::{Error, Instant};

/// The service gives keys for seven days at most, by its own clock, which may be behind ours.
const LONGEST: Duration = Duration::from_secs(7 * 86_400 - 15 * 60);
/// A key is asked for so much longer than the first link needs, to serve further ones. Not longer: after
/// "revoke user delegation keys" on the account, links work again when the key in the cache has run out.
const SPARE: Duration = Duration::from_secs(2 * 3600);
/// The service's clock may be behind ours.
const START_IN_THE_PAST: Duration = Duration::from_secs(300);
/// Links that live almost as long as the longest key share one key for so long, and end with it.
const SHARE_LONGEST: Duration = Duration::from_secs(3600);

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

/// A key and for how long links may be signed with it.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) key: DelegationKey,
    pub(crate) expires_at: OffsetDateTime,
    issued_at: Instant,
    longest: bool,
}

impl Issued {
    /// Whether a link until `expiry` can be signed with it: a link dies with its key.
    pub(crate) fn fitness(&self, expiry: OffsetDateTime, now: Now) -> Fitness {
        let shared = self.longest && now.instant.since(self.issued_at) < SHARE_LONGEST;
        if now.wall < self.expires_at && (expiry <= self.expires_at || shared) {
            Fitness::Fresh
        } else {
            Fitness::Unfit
        }
    }
}

/// How long a key is asked for, for links that live for `lifetime`.
fn validity(lifetime: Duration) -> Duration {
    lifetime.saturating_add(SPARE).min(LONGEST)
}

/// The call that gets a key for links that live for `lifetime`.
pub(crate) fn call(lifetime: Duration, now: OffsetDateTime) -> Call {
    // Whole seconds: fractions are refused.
    let start = iso(round_down(minus(now, START_IN_THE_PAST)));
    let expiry = iso(round_down(plus(now, validity(lifetime))));
    Call::new("Get User Delegation Key", Service::Blob, Method::POST, "/".to_owned())
        .query("restype", "service")
        .query("comp", "userdelegationkey")
        .xml_body(format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>"
        ))
}

/// The key in the answer.
pub(crate) fn issued(answer: &Answer, lifetime: Duration, now: Now) -> Result<Issued, Error> {
    if answer.status != 200 {
        return Err(answer.error());
    }
    let document = answer.xml(KEY)?;
    let field = |name: &str| match document.fields.get(name) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(answer.unexpected(format!("a delegation key without {name}"))),
    };
    let expiry = field("SignedExpiry")?;
    let expires_at = parse_iso(&expiry).filter(|moment| *moment > now.wall);
    Ok(Issued {
        expires_at: expires_at
            .ok_or_else(|| answer.unexpected("a delegation key that has expired already"))?,
        key: DelegationKey {
            oid: field("SignedOid")?,
            tid: field("SignedTid")?,
            start: field("SignedStart")?,
            expiry,
            service: field("SignedService")?,
            version: field("SignedVersion")?,
            key: Key::from_base64(&field("Value")?)
                .ok_or_else(|| answer.unexpected("a delegation key that is not Base64"))?,
        },
        issued_at: now.instant,
        longest: validity(lifetime) == LONGEST,
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

    fn answered(status: u16, body: &str, lifetime: Duration) -> Result<Issued, Error> {
        let response =
            Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        issued(&Answer::new("Get User Delegation Key", Part::Blob, response, now()), lifetime, at(now(), 0))
    }

    fn document(expiry: &str, value: &str) -> String {
        format!(
            "<UserDelegationKey><Value>{value}</Value><SignedOid>o</SignedOid><SignedTid>t</SignedTid>\
             <SignedStart>2026-11-20T09:55:00Z</SignedStart><SignedExpiry>{expiry}</SignedExpiry>\
             <SignedService>b</SignedService><SignedVersion>2026-06-06</SignedVersion></UserDelegationKey>"
        )
    }

    #[test]
    fn a_key_is_asked_for_in_whole_seconds_from_the_recent_past_for_hours() {
        let call = call(MINUTES, now());
        assert_eq!(
            std::str::from_utf8(&call.body).unwrap(),
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>2026-11-20T09:55:00Z</Start>\
             <Expiry>2026-11-20T12:10:00Z</Expiry></KeyInfo>"
        );
        assert_eq!(call.query, [("restype", "service".to_owned()), ("comp", "userdelegationkey".to_owned())]);
    }

    #[test]
    fn a_key_is_used_only_for_links_that_end_before_it() {
        let issued = answered(200, &document("2026-11-20T12:10:00Z", "aGlkZGVu"), MINUTES).unwrap();
        assert_eq!(issued.key.version, "2026-06-06", "copied, not assumed");
        let until = |text: &str| issued.fitness(parse_iso(text).unwrap(), at(now(), 1));
        assert_eq!(until("2026-11-20T12:10:00Z"), Fitness::Fresh);
        assert_eq!(until("2026-11-20T12:10:01Z"), Fitness::Unfit);
        assert!(!format!("{issued:?}").contains("104, 105"), "the key is not shown");
    }

    #[test]
    fn links_of_almost_seven_days_share_the_longest_key_for_an_hour() {
        let week = Duration::from_secs(7 * 86_400);
        let issued = answered(200, &document("2026-11-27T09:45:00Z", "aGlkZGVu"), week).unwrap();
        let expiry = now() + week;
        assert_eq!(issued.fitness(expiry, at(now(), 0)), Fitness::Fresh);
        let hour = SHARE_LONGEST.as_secs();
        assert_eq!(issued.fitness(expiry + SHARE_LONGEST, at(now() + SHARE_LONGEST, hour)), Fitness::Unfit);
        // Whatever the wall clock says meanwhile.
        assert_eq!(issued.fitness(expiry, at(now() - SHARE_LONGEST, hour)), Fitness::Unfit);
        assert_eq!(issued.fitness(expiry, at(now() - SHARE_LONGEST, hour - 1)), Fitness::Fresh);
    }

    #[test]
    fn what_is_no_key_is_an_error() {
        for body in [
            String::new(),
            "<html/>".to_owned(),
            "<UserDelegationKey/>".to_owned(),
            document("2026-11-20T09:59:59Z", "aGlkZGVu"),
            document("tomorrow", "aGlkZGVu"),
            document("2026-11-20T12:10:00Z", "not base64"),
        ] {
            assert!(answered(200, &body, MINUTES).is_err(), "{body}");
        }
        assert!(
            answered(403, "", MINUTES).unwrap_err().to_string().contains("Storage refused the credentials")
        );
    }
}
