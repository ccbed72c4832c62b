//! Shared access signatures that allow reading one blob
//! (<https://learn.microsoft.com/rest/api/storageservices/create-service-sas>,
//! <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas>).

use time::OffsetDateTime;

use crate::shared_key::Key;
use crate::{encode, moment};

/// What both kinds of SAS sign: permission to read one blob until `expiry`.
pub(crate) struct Grant<'a> {
    pub(crate) account: &'a str,
    pub(crate) container: &'a str,
    pub(crate) blob: &'a str,
    /// `signedExpiry`; whole seconds.
    pub(crate) expiry: OffsetDateTime,
    /// `signedProtocol`.
    pub(crate) protocol: &'static str,
    /// `signedVersion`. It determines the string to sign.
    pub(crate) version: &'a str,
}

/// A user delegation key, with its six signed values exactly as the service returned them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DelegationKey {
    pub(crate) oid: String,
    pub(crate) tid: String,
    pub(crate) start: String,
    pub(crate) expiry: String,
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) key: Key,
}

impl Grant<'_> {
    /// The string to sign of versions 2020-12-06 and later: 16 lines.
    fn service_string_to_sign(&self, signed_expiry: &str) -> String {
        // No stored access policy.
        self.string_to_sign(signed_expiry, &[""])
    }

    /// The string to sign of versions from 2020-12-06 until before 2025-07-05: 24 lines.
    fn delegation_string_to_sign(&self, signed_expiry: &str, key: &DelegationKey) -> String {
        let DelegationKey { oid, tid, start, expiry, service, version, .. } = key;
        // No authorized object id, unauthorized object id and correlation id.
        self.string_to_sign(signed_expiry, &[oid, tid, start, expiry, service, version, "", "", ""])
    }

    /// `signed_expiry` is the text of the expiry, and `identification` is what the two kinds of SAS have between the
    /// resource and the range of IP addresses.
    fn string_to_sign(&self, signed_expiry: &str, identification: &[&str]) -> String {
        let resource = ["/blob/", self.account, "/", self.container, "/", self.blob].concat();
        // Reads, with no start and no range of addresses. `b` is a blob, with no snapshot, encryption scope,
        // cache-control, content-disposition, content-encoding, content-language and content-type.
        [
            &["r", "", signed_expiry, &resource],
            identification,
            &["", self.protocol, self.version],
            &["b", "", "", "", "", "", "", ""],
        ]
        .concat()
        .join("\n")
    }

    fn query(&self, signed_expiry: &str, delegation: &[(&str, &str)], signature: &str) -> String {
        let own =
            [("sv", self.version), ("sr", "b"), ("sp", "r"), ("se", signed_expiry), ("spr", self.protocol)];
        let sig = [("sig", signature)];
        let mut query = String::with_capacity(256);
        for (name, value) in own.iter().chain(delegation).chain(&sig) {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            // The signature covers the decoded values.
            query.push_str(&encode::value(value));
        }
        query
    }

    /// The query of a service SAS, signed with the account key.
    pub(crate) fn service_sas(&self, key: &Key) -> String {
        let expiry = moment::iso(self.expiry);
        self.query(&expiry, &[], &key.sign(&self.service_string_to_sign(&expiry)))
    }

    /// The query of a user delegation SAS.
    pub(crate) fn delegation_sas(&self, key: &DelegationKey) -> String {
        let delegation = [
            ("skoid", key.oid.as_str()),
            ("sktid", &key.tid),
            ("skt", &key.start),
            ("ske", &key.expiry),
            ("sks", &key.service),
            ("skv", &key.version),
        ];
        let expiry = moment::iso(self.expiry);
        self.query(&expiry, &delegation, &key.key.sign(&self.delegation_string_to_sign(&expiry, key)))
    }
}

/// `signedProtocol` for an endpoint. A link to a TLS endpoint is only valid over TLS.
pub(crate) fn protocol(https: bool) -> &'static str {
    if https { "https" } else { "https,http" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::EMULATOR_KEY;
    use crate::moment::parse_iso;

    #[test]
    fn vector_d_service_sas() {
        let grant = Grant {
            account: "devstoreaccount1",
            container: "cont",
            blob: "m",
            expiry: parse_iso("2099-01-01T00:00:00Z").unwrap(),
            protocol: protocol(false),
            version: "2020-12-06",
        };
        assert_eq!(
            grant.service_string_to_sign("2099-01-01T00:00:00Z"),
            "r\n\n2099-01-01T00:00:00Z\n/blob/devstoreaccount1/cont/m\n\n\nhttps,http\n2020-12-06\nb\n\n\n\n\n\n\n"
        );
        assert_eq!(
            grant.service_sas(&Key::from_base64(EMULATOR_KEY).unwrap()),
            "sv=2020-12-06&sr=b&sp=r&se=2099-01-01T00%3A00%3A00Z&spr=https%2Chttp\
             &sig=ktBGxhYVIpwyWMaq%2BJRCybE%2F9aKqlq%2FqtstTShVry5Q%3D"
        );
    }

    #[test]
    fn vector_e_user_delegation_sas() {
        let grant = Grant {
            account: "myaccount",
            container: "results",
            blob: "t1/j1.json",
            expiry: parse_iso("2026-11-20T12:00:00Z").unwrap(),
            protocol: protocol(true),
            version: "2023-11-03",
        };
        let key = DelegationKey {
            oid: "22222222-2222-2222-2222-222222222222".to_owned(),
            tid: "11111111-1111-1111-1111-111111111111".to_owned(),
            start: "2026-11-20T10:00:00Z".to_owned(),
            expiry: "2026-11-21T10:00:00Z".to_owned(),
            service: "b".to_owned(),
            version: "2023-11-03".to_owned(),
            key: Key::from_base64("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap(),
        };
        assert_eq!(
            grant.delegation_string_to_sign("2026-11-20T12:00:00Z", &key),
            "r\n\n2026-11-20T12:00:00Z\n/blob/myaccount/results/t1/j1.json\n22222222-2222-2222-2222-222222222222\n\
             11111111-1111-1111-1111-111111111111\n2026-11-20T10:00:00Z\n2026-11-21T10:00:00Z\nb\n2023-11-03\n\n\n\n\n\
             https\n2023-11-03\nb\n\n\n\n\n\n\n"
        );
        let query = grant.delegation_sas(&key);
        assert!(
            query.ends_with("&skv=2023-11-03&sig=viVRCIqfjW7cVwVtscFUOoRNJHxuVrkeCtoc22AvrR4%3D"),
            "{query}"
        );
        assert!(
            query.contains("&skt=2026-11-20T10%3A00%3A00Z&ske=2026-11-21T10%3A00%3A00Z&sks=b&"),
            "{query}"
        );
    }
}
