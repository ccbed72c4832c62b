//! Shared Key authorization
//! (<https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>).

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::encode;

/// An account key or delegation key, decoded.
#[derive(Clone)]
pub(crate) struct Key {
    bytes: Vec<u8>,
    /// The state of HMAC after the key, which is the same for every text: two of about eight blocks of a signature.
    keyed: Option<Hmac<Sha256>>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl Key {
    /// Decodes Base64; `None` if the text is not valid, or empty.
    pub(crate) fn from_base64(text: &str) -> Option<Self> {
        let bytes = encode::from_base64(text).filter(|bytes| !bytes.is_empty())?;
        // HMAC accepts keys of any length, so this never fails.
        let keyed = Hmac::new_from_slice(&bytes).ok();
        Some(Self { bytes, keyed })
    }

    /// Base64 of the HMAC-SHA256 of `text`.
    pub(crate) fn sign(&self, text: &str) -> String {
        // The service would refuse an empty signature.
        let keyed = self.keyed.clone();
        keyed.map(|mac| encode::base64(&mac.chain_update(text).finalize().into_bytes())).unwrap_or_default()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(set)")
    }
}

/// The signed parts of a request. Names of headers and query parameters are lower case.
pub(crate) struct Parts<'a> {
    pub(crate) method: &'a str,
    pub(crate) content_length: usize,
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) account: &'a str,
    /// Percent-encoded as it is sent, without the query.
    pub(crate) path: &'a str,
    /// Decoded values.
    pub(crate) query: &'a [(&'static str, String)],
}

/// The string to sign.
pub(crate) fn string_to_sign(parts: &Parts<'_>) -> String {
    let header = |name: &str| {
        parts.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str())
    };
    let length = if parts.content_length == 0 { String::new() } else { parts.content_length.to_string() };
    let mut text = format!("{}\n", parts.method);
    for line in [
        header("content-encoding"),
        header("content-language"),
        &length,
        header("content-md5"),
        header("content-type"),
        // `Date` is never sent; `x-ms-date` is.
        "",
        header("if-modified-since"),
        header("if-match"),
        header("if-none-match"),
        header("if-unmodified-since"),
        header("range"),
    ] {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&canonicalized_headers(parts.headers));
    text.push_str(&canonicalized_resource(parts.account, parts.path, parts.query));
    text
}

fn canonicalized_headers(headers: &[(&'static str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in sorted(headers.iter().filter(|(name, _)| name.starts_with("x-ms-"))) {
        let words: Vec<_> = value.split_ascii_whitespace().collect();
        let _ = writeln!(text, "{name}:{}", words.join(" "));
    }
    text
}

/// Sorts by name in byte order, which is the service's order for names without `_`. By insertion, because a request has few
/// of either, and a general sort is 4 KB of code.
fn sorted<'a>(pairs: impl Iterator<Item = &'a (&'static str, String)>) -> Vec<&'a (&'static str, String)> {
    let mut sorted: Vec<&(&str, String)> = Vec::new();
    for pair in pairs {
        let at = sorted.partition_point(|(name, _)| *name <= pair.0);
        sorted.insert(at, pair);
    }
    sorted
}

fn canonicalized_resource(account: &str, path: &str, query: &[(&'static str, String)]) -> String {
    let mut text = format!("/{account}{}", if path.is_empty() { "/" } else { path });
    for (name, value) in sorted(query.iter()) {
        let _ = write!(text, "\n{name}:{value}");
    }
    text
}

/// The value of the `authorization` header.
pub(crate) fn authorization(key: &Key, parts: &Parts<'_>) -> String {
    format!("SharedKey {}:{}", parts.account, key.sign(&string_to_sign(parts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::EMULATOR_KEY;

    fn key() -> Key {
        Key::from_base64(EMULATOR_KEY).unwrap()
    }

    fn dated(mut headers: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
        headers.push(("x-ms-version", "2023-11-03".to_owned()));
        headers.push(("x-ms-date", "Fri, 20 Nov 2026 10:00:00 GMT".to_owned()));
        headers
    }

    fn get_messages() -> [(&'static str, String); 2] {
        [("visibilitytimeout", "60".to_owned()), ("numofmessages", "16".to_owned())]
    }

    #[test]
    fn vector_a_get_messages_in_path_style() {
        let parts = Parts {
            method: "GET",
            content_length: 0,
            headers: &dated(vec![]),
            account: "devstoreaccount1",
            path: "/devstoreaccount1/jobs/messages",
            query: &get_messages(),
        };
        assert_eq!(
            string_to_sign(&parts),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 20 Nov 2026 10:00:00 GMT\nx-ms-version:2023-11-03\n\
             /devstoreaccount1/devstoreaccount1/jobs/messages\nnumofmessages:16\nvisibilitytimeout:60"
        );
        assert_eq!(
            authorization(&key(), &parts),
            "SharedKey devstoreaccount1:FJeV9af/mhO6eMdR2KSifRnh3UWpYhoxO2ebkjapOQA="
        );
    }

    #[test]
    fn vector_b_put_blob_that_creates() {
        let headers = dated(vec![
            ("x-ms-blob-type", "BlockBlob".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("if-none-match", "*".to_owned()),
        ]);
        let parts = Parts {
            method: "PUT",
            content_length: 11,
            headers: &headers,
            account: "devstoreaccount1",
            path: "/devstoreaccount1/results/t1/j1.json",
            query: &[],
        };
        assert_eq!(
            string_to_sign(&parts),
            "PUT\n\n\n11\n\napplication/json\n\n\n\n*\n\n\nx-ms-blob-type:BlockBlob\n\
             x-ms-date:Fri, 20 Nov 2026 10:00:00 GMT\nx-ms-version:2023-11-03\n\
             /devstoreaccount1/devstoreaccount1/results/t1/j1.json"
        );
        assert_eq!(key().sign(&string_to_sign(&parts)), "W+mob67tI6IQB3cqDTKefBnFxGk9zwzI+2d1p+vOjwM=");
    }

    #[test]
    fn vector_c_get_messages_in_host_style() {
        let parts = Parts {
            method: "GET",
            content_length: 0,
            headers: &dated(vec![]),
            account: "myaccount",
            path: "/jobs/messages",
            query: &get_messages(),
        };
        assert_eq!(key().sign(&string_to_sign(&parts)), "YsAeQHXLn44RJgrtaUdaixan6Sx1af+j/jtO5arSIwI=");
    }

    #[test]
    fn key_must_be_base64_and_is_not_in_debug() {
        assert_eq!(Key::from_base64("not base64"), None);
        assert_eq!(Key::from_base64(""), None);
        assert_eq!(format!("{:?}", key()), "Key(set)");
    }
}
