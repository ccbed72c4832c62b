//! A submission within a batch, reduced to a submission of its own.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// A batch with the submission first. An invalid task follows, which must not affect it, and with `repeated` the
/// submission once more, which must get the same outcome.
#[must_use]
pub fn of(submission: Value, repeated: bool) -> Value {
    let mut tasks = vec![submission.clone(), json!({ "TaskName": "" })];
    tasks.extend(repeated.then_some(submission));
    json!({ "tasks": tasks })
}

/// The response that the first task of a batch would have had by itself, given the response to the batch.
#[must_use]
pub fn first_outcome(response: Response<Bytes>) -> Response<Bytes> {
    if response.status() != StatusCode::MULTI_STATUS {
        return response;
    }
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let outcome = body.pointer("/value/0").cloned().unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    let status = outcome.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    parts.status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let location = outcome.get("operationLocation").and_then(Value::as_str);
    if let Some(location) = location.and_then(|location| HeaderValue::from_str(location).ok()) {
        parts.headers.insert("operation-location", location);
    }
    Response::from_parts(parts, outcome.to_string().into())
}

/// The task ids of the tasks of a batch that were accepted.
#[must_use]
pub fn accepted_ids(response: &Response<Bytes>) -> Vec<String> {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let outcomes = body.get("value").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_accepted = |outcome: &&Value| outcome.get("status").and_then(Value::as_u64) == Some(202);
    let id = |outcome: &Value| outcome.get("id").and_then(Value::as_str).map(str::to_owned);
    outcomes.iter().filter(is_accepted).filter_map(id).collect()
}
