//! Responses: success responses, and refusals with the services' error codes.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER};
use http::{HeaderMap, Method, Response, StatusCode};
use time::OffsetDateTime;

use crate::dates::http_date;
use crate::xml;

/// A success, before the headers that every response has are added.
#[derive(Debug)]
pub(crate) struct ServiceResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl ServiceResponse {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// An XML document. `text` starts after the declaration.
    pub(crate) fn xml(status: StatusCode, text: &str) -> Self {
        let body = format!("{}{text}", xml::DECLARATION);
        Self { body: body.into(), ..Self::new(status) }.header("content-type", "application/xml")
    }

    /// Adds a header; a value that HTTP cannot carry is left out.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        set(&mut self.headers, name, value);
        self
    }

    /// Adds the headers of stored metadata.
    pub(crate) fn metadata(self, metadata: &[(String, String)]) -> Self {
        metadata
            .iter()
            .fold(self, |response, (name, value)| response.header(&format!("x-ms-meta-{name}"), value))
    }
}

/// Why a request is refused: what the `<Error>` document and `x-ms-error-code` say.
#[derive(Debug)]
pub(crate) struct ServiceError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Further elements of the error document.
    pub(crate) details: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl ServiceError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), headers: Vec::new() }
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(crate) fn condition_not_met() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "ConditionNotMet",
            "The condition specified using HTTP conditional header(s) is not met.",
        )
    }

    /// A body of more than `most` bytes.
    pub(crate) fn body_too_large(most: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestBodyTooLarge",
            "The request body is too large and exceeds the maximum permissible limit.",
        )
        .detail("MaxLimit", &most.to_string())
    }

    /// What the services do and this crate does not, and what no service does.
    pub(crate) fn unsupported(method: &Method) -> Self {
        if matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::POST | Method::DELETE) {
            return Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                format!("fake-azure does not know this operation: {method} with these parameters."),
            );
        }
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "UnsupportedHttpVerb",
            "The resource doesn't support specified Http Verb.",
        )
    }

    /// A query parameter with a value that is never allowed.
    pub(crate) fn invalid_query(name: &str, value: &str) -> Self {
        Self::bad_request(
            "InvalidQueryParameterValue",
            "Value for one of the query parameters specified in the request URI is invalid.",
        )
        .detail("QueryParameterName", name)
        .detail("QueryParameterValue", value)
    }

    /// A query parameter outside its limits.
    pub(crate) fn query_out_of_range(name: &str, value: &str, least: i64, most: i64) -> Self {
        Self::bad_request(
            "OutOfRangeQueryParameterValue",
            "One of the query parameters specified in the request URI is outside the permissible range.",
        )
        .detail("QueryParameterName", name)
        .detail("QueryParameterValue", value)
        .detail("MinimumAllowed", &least.to_string())
        .detail("MaximumAllowed", &most.to_string())
    }

    pub(crate) fn missing_query(name: &str) -> Self {
        Self::bad_request(
            "MissingRequiredQueryParameter",
            "A query parameter that's mandatory for this request is not specified.",
        )
        .detail("QueryParameterName", name)
    }

    pub(crate) fn missing_header(name: &str) -> Self {
        Self::bad_request(
            "MissingRequiredHeader",
            "An HTTP header that's mandatory for this request is not specified.",
        )
        .detail("HeaderName", name)
    }

    pub(crate) fn invalid_header(name: &str, value: &str) -> Self {
        Self::bad_request(
            "InvalidHeaderValue",
            "The value for one of the HTTP headers is not in the correct format.",
        )
        .detail("HeaderName", name)
        .detail("HeaderValue", value)
    }

    pub(crate) fn detail(mut self, name: &'static str, value: &str) -> Self {
        self.details.push((name, value.to_owned()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The error as a storage service writes it.
    pub(crate) fn into_storage_response(self, request_id: &str, now: OffsetDateTime) -> ServiceResponse {
        let mut text = format!(
            "<Error><Code>{}</Code><Message>{}\nRequestId:{request_id}\nTime:{}</Message>",
            self.code,
            xml::escape(&self.message),
            crate::dates::iso(now)
        );
        for (name, value) in &self.details {
            text.push_str(&format!("<{name}>{}</{name}>", xml::escape(value)));
        }
        text.push_str("</Error>");
        let mut response = if self.status == StatusCode::NOT_MODIFIED {
            ServiceResponse::new(self.status)
        } else {
            ServiceResponse::xml(self.status, &text)
        };
        response = response.header("x-ms-error-code", self.code);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        response
    }
}

/// Adds what every response has, and drops the body where HTTP has none.
pub(crate) fn finish(
    response: ServiceResponse,
    method: &Method,
    request_id: &str,
    version: Option<&str>,
    now: OffsetDateTime,
) -> Response<Bytes> {
    let ServiceResponse { status, mut headers, mut body } = response;
    set(&mut headers, "x-ms-request-id", request_id);
    if let Some(version) = version {
        set(&mut headers, "x-ms-version", version);
    }
    if let Ok(value) = HeaderValue::from_str(&http_date(now)) {
        headers.insert(DATE, value);
    }
    headers.insert(SERVER, HeaderValue::from_static("fake-azure"));
    let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if bodiless {
        body = Bytes::new();
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_LENGTH);
    } else if !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    if method == Method::HEAD {
        body = Bytes::new();
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}
