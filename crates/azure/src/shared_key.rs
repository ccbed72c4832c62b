//! Shared Key authorization
//! (<https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>).

use std::borrow::Cow;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::encode;

/// Base64 of 32 bytes.
const SIGNATURE_BYTES: usize = 44;
/// Space for most strings to sign, in bytes.
const TYPICAL_BYTES: usize = 384;

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
        let mut signature = String::with_capacity(SIGNATURE_BYTES);
        self.push_signature(&mut signature, text);
        signature
    }

    /// Appends [`Self::sign`].
    fn push_signature(&self, to: &mut String, text: &str) {
        // Without a key nothing is appended: the service refuses an empty signature.
        if let Some(keyed) = self.keyed.clone() {
            encode::push_base64(to, &keyed.chain_update(text).finalize().into_bytes());
        }
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
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) account: &'a str,
    /// Percent-encoded as it is sent, without the query.
    pub(crate) path: &'a str,
    /// Decoded values.
    pub(crate) query: &'a [(&'static str, Cow<'static, str>)],
}

/// The string to sign.
pub(crate) fn string_to_sign(parts: &Parts<'_>) -> String {
    let header =
        |name: &str| parts.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
    let length = if parts.content_length == 0 { String::new() } else { parts.content_length.to_string() };
    // One string without intermediate ones: it is made for every request.
    let mut text = String::with_capacity(TYPICAL_BYTES);
    for line in [
        parts.method,
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
    push_canonicalized_headers(&mut text, parts.headers);
    push_canonicalized_resource(&mut text, parts);
    text
}

fn push_canonicalized_headers(text: &mut String, headers: &[(&'static str, &str)]) {
    for (name, value) in sorted(headers.iter().filter(|(name, _)| name.starts_with("x-ms-"))) {
        text.push_str(name);
        let mut separator = ':';
        for word in value.split_ascii_whitespace() {
            text.push(separator);
            text.push_str(word);
            separator = ' ';
        }
        if separator == ':' {
            text.push(separator);
        }
        text.push('\n');
    }
}

/// Sorts by name in byte order, which is the service's order for names without `_`. By insertion, because a request has few
/// of either, and a general sort is 4 KB of code.
fn sorted<'a, T>(pairs: impl Iterator<Item = &'a (&'static str, T)>) -> Vec<&'a (&'static str, T)> {
    let mut sorted: Vec<&(&str, T)> = Vec::with_capacity(4);
    for pair in pairs {
        let at = sorted.partition_point(|(name, _)| *name <= pair.0);
        sorted.insert(at, pair);
    }
    sorted
}

fn push_canonicalized_resource(text: &mut String, parts: &Parts<'_>) {
    text.push('/');
    text.push_str(parts.account);
    text.push_str(if parts.path.is_empty() { "/" } else { parts.path });
    for (name, value) in sorted(parts.query.iter()) {
        text.push('\n');
        text.push_str(name);
        text.push(':');
        text.push_str(value);
    }
}

/// The value of the `authorization` header.
pub(crate) fn authorization(key: &Key, parts: &Parts<'_>) -> String {
    const SCHEME: &str = "SharedKey ";
    let mut text = String::with_capacity(SCHEME.len() + parts.account.len() + 1 + SIGNATURE_BYTES);
    text.push_str(SCHEME);
    text.push_str(parts.account);
    text.push(':');
    key.push_signature(&mut text, &string_to_sign(parts));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::EMULATOR_KEY;

    fn key() -> Key {
        Key::from_base64(EMULATOR_KEY).unwrap()
    }

    fn dated(mut headers: Vec<(&'static str, &'static str)>) -> Vec<(&'static str, &'static str)> {
        headers.push(("x-ms-version", "2023-11-03"));
        headers.push(("x-ms-date", "Fri, 20 Nov 2026 10:00:00 GMT"));
        headers
    }

    fn get_messages() -> [(&'static str, Cow<'static, str>); 2] {
        [("visibilitytimeout", "60".into()), ("numofmessages", "16".into())]
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
            ("x-ms-blob-type", "BlockBlob"),
            ("content-type", "application/json"),
            ("if-none-match", "*"),
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
