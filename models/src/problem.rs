use serde::{Deserialize, Serialize};

/// A problem document (RFC 9457), the body of every error response (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Stable URI reference of the problem type, such as `/problems/task-not-found`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short summary, the same for all problems of this type.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What happened and what to do about it. It never contains a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Trace id of the request, for questions to the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}
