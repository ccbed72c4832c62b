//! Requests of somebody who holds the account key: the outsider of a scenario, and the network when a
//! mutation changes a request that was signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderValue, Request};
use sha2::Sha256;
use time::OffsetDateTime;

use crate::call::{BLOB_ENDPOINT, CONTAINER, QUEUE_ENDPOINT};

/// An account key.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// The key that `base64` spells.
    #[must_use]
    pub fn new(base64: &str) -> Self {
        Self(STANDARD.decode(base64).unwrap_or_default())
    }

    /// Signs `request` anew (SharedKey), at storage's time `now`.
    pub fn sign(&self, request: &mut Request<Bytes>, now: OffsetDateTime) {
        let length = request.body().len();
        let headers = request.headers_mut();
        for (name, value) in [
            ("x-ms-date", date(now)),
            ("x-ms-version", "2023-11-03".to_owned()),
            ("content-length", length.to_string()),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        let text = string_to_sign(request);
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return };
        mac.update(text.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        if let Ok(value) = HeaderValue::from_str(&format!("SharedKey devstoreaccount1:{signature}")) {
            request.headers_mut().insert("authorization", value);
        }
    }
}

fn string_to_sign(request: &Request<Bytes>) -> String {
    let headers = request.headers();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let length = request.body().len();
    let mut text = format!("{}\n", request.method());
    for name in ["content-encoding", "content-language"] {
        text += &format!("{}\n", header(name));
    }
    text += &if length == 0 { "\n".to_owned() } else { format!("{length}\n") };
    for name in [
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ] {
        text += &format!("{}\n", header(name));
    }
    let mut special: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-ms-"))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
        .collect();
    special.sort_unstable();
    for (name, value) in special {
        text += &format!("{name}:{value}\n");
    }
    text += &format!("/devstoreaccount1{}", request.uri().path());
    let mut query: Vec<(String, String)> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_ascii_lowercase(), decode(value)))
        .collect();
    query.sort_unstable();
    for (name, value) in query {
        text += &format!("\n{name}:{value}");
    }
    text
}

/// A value of a query, decoded.
#[must_use]
pub fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// `text` as a value in a query.
#[must_use]
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// `now` as HTTP spells it.
#[must_use]
pub fn date(now: OffsetDateTime) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = DAYS.get(usize::from(now.weekday().number_days_from_monday())).unwrap_or(&"Mon");
    let month = MONTHS.get(usize::from(u8::from(now.month())) - 1).unwrap_or(&"Jan");
    let (hour, minute, second) = now.to_hms();
    format!("{day}, {:02} {month} {} {hour:02}:{minute:02}:{second:02} GMT", now.day(), now.year())
}

fn request(method: &str, uri: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(body.into());
    *request.method_mut() = method.parse().unwrap_or_default();
    *request.uri_mut() = uri.parse().unwrap_or_default();
    request
}

/// Put Message.
#[must_use]
pub fn put_message(queue: &str, text: &str) -> Request<Bytes> {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = format!("<QueueMessage><MessageText>{escaped}</MessageText></QueueMessage>");
    request("POST", &format!("{QUEUE_ENDPOINT}/{queue}/messages?messagettl=-1"), body)
}

/// Update Message without a text.
#[must_use]
pub fn update_message(queue: &str, id: &str, receipt: &str, visibility: u64) -> Request<Bytes> {
    let query = format!("popreceipt={}&visibilitytimeout={visibility}", encode(receipt));
    request("PUT", &format!("{QUEUE_ENDPOINT}/{queue}/messages/{id}?{query}"), "")
}

/// Delete Message.
#[must_use]
pub fn delete_message(queue: &str, id: &str, receipt: &str) -> Request<Bytes> {
    let query = format!("popreceipt={}", encode(receipt));
    request("DELETE", &format!("{QUEUE_ENDPOINT}/{queue}/messages/{id}?{query}"), "")
}

/// Put Blob without a condition.
#[must_use]
pub fn put_blob(name: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = request("PUT", &format!("{BLOB_ENDPOINT}/{CONTAINER}/{name}"), body);
    request.headers_mut().insert("x-ms-blob-type", HeaderValue::from_static("BlockBlob"));
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    request
}

/// Create Container.
#[must_use]
pub fn create_container() -> Request<Bytes> {
    request("PUT", &format!("{BLOB_ENDPOINT}/{CONTAINER}?restype=container"), "")
}

/// Create Queue.
#[must_use]
pub fn create_queue(queue: &str) -> Request<Bytes> {
    request("PUT", &format!("{QUEUE_ENDPOINT}/{queue}"), "")
}

/// Delete Queue.
#[must_use]
pub fn delete_queue(queue: &str) -> Request<Bytes> {
    request("DELETE", &format!("{QUEUE_ENDPOINT}/{queue}"), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_the_emulator_expects() {
        let uri =
            "http://127.0.0.1:10001/devstoreaccount1/jobs/messages?numofmessages=16&visibilitytimeout=60";
        let mut request = request("GET", uri, "");
        let now = OffsetDateTime::from_unix_timestamp(1_795_168_800).unwrap();
        Key::new(fake_azure::EMULATOR_KEY).sign(&mut request, now);
        assert_eq!(request.headers()["x-ms-date"], "Fri, 20 Nov 2026 10:00:00 GMT");
        let expected = "SharedKey devstoreaccount1:FJeV9af/mhO6eMdR2KSifRnh3UWpYhoxO2ebkjapOQA=";
        assert_eq!(request.headers()["authorization"], expected);
    }
}
