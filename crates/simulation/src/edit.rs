//! Changes to JSON documents on their way, for mutations.

use bytes::Bytes;
use http::{Request, Response};

/// The members of a JSON object.
pub(crate) type Object = serde_json::Map<String, serde_json::Value>;

pub(crate) fn with_members(body: Bytes, change: impl FnOnce(&mut Object)) -> Bytes {
    match serde_json::from_slice::<Object>(&body) {
        Ok(mut document) => {
            change(&mut document);
            serde_json::Value::Object(document).to_string().into_bytes().into()
        }
        Err(_) => body,
    }
}

pub(crate) fn changed(request: Request<Bytes>, change: impl FnOnce(&mut Object)) -> Request<Bytes> {
    request.map(|body| with_members(body, change))
}

pub(crate) fn member(document: &Object, name: &str) -> Option<u64> {
    document.get(name).and_then(serde_json::Value::as_u64)
}

/// Whether the record `back` from the end of the history has this outcome.
pub(crate) fn ends_with(document: &Object, back: usize, outcome: &str) -> bool {
    let history = document.get("History").and_then(serde_json::Value::as_array);
    let record = history.and_then(|history| history.iter().rev().nth(back));
    record.and_then(|record| record.get("Outcome")).and_then(serde_json::Value::as_str) == Some(outcome)
}

pub(crate) fn is_code(response: &Response<Bytes>, code: &str) -> bool {
    response.headers().get("x-ms-error-code").is_some_and(|value| value == code)
}
