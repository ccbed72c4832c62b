//! Requests to storage of another writer, without their signature: see [`crate::cloud::Cloud::sign`].

use bytes::Bytes;
use http::{HeaderValue, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::escape::partial_escape;

use crate::call::{BLOB_ENDPOINT, CONTAINER, QUEUE_ENDPOINT};

fn request(method: &str, uri: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(body.into());
    *request.method_mut() = method.parse().unwrap_or_default();
    *request.uri_mut() = uri.parse().unwrap_or_default();
    request
}

/// Put Message.
#[must_use]
pub fn put_message(queue: &str, text: &str) -> Request<Bytes> {
    let body = format!("<QueueMessage><MessageText>{}</MessageText></QueueMessage>", partial_escape(text));
    request("POST", &format!("{QUEUE_ENDPOINT}/{queue}/messages?messagettl=-1"), body)
}

/// Update Message without a text.
#[must_use]
pub fn update_message(queue: &str, id: &str, receipt: &str, visibility: u64) -> Request<Bytes> {
    let query = format!(
        "popreceipt={}&visibilitytimeout={visibility}",
        utf8_percent_encode(receipt, NON_ALPHANUMERIC)
    );
    request("PUT", &format!("{QUEUE_ENDPOINT}/{queue}/messages/{id}?{query}"), "")
}

/// Delete Message.
#[must_use]
pub fn delete_message(queue: &str, id: &str, receipt: &str) -> Request<Bytes> {
    let query = format!("popreceipt={}", utf8_percent_encode(receipt, NON_ALPHANUMERIC));
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
