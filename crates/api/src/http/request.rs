//! The head of a request, its caller, its trace id and the public address of the API.

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use models::TaskId;
use service::problem::{HttpError, ProblemKind};
use service::settings::ApiSettings;
use service::trace;

use crate::http::auth::Caller;
use crate::http::headers::text;
use crate::http::precondition;
use crate::http::query::{Query, invalid_parameter};

/// Maximum length of path and query.
const MAX_ADDRESS_BYTES: usize = 8 * 1024;
/// Maximum total length of header names and values.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// The head of one request.
pub(crate) struct ApiRequest {
    parts: Parts,
    /// Set after authentication.
    pub(crate) caller: Caller,
    /// Trace id of the `traceparent` header, or a new one.
    pub(crate) trace_id: String,
}

impl ApiRequest {
    /// `random` becomes the trace id if the request has none.
    pub(crate) fn new(parts: Parts, random: [u8; 16]) -> Self {
        let trace_id = trace::id(&parts.headers, random);
        Self { parts, caller: None, trace_id }
    }

    pub(crate) fn method(&self) -> &http::Method {
        &self.parts.method
    }

    pub(crate) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Refuses the request if its preconditions do not hold for the version `etag` of the task.
    pub(crate) fn check_preconditions(&self, etag: &str) -> Result<(), HttpError> {
        precondition::check(&self.parts.method, &self.parts.headers, "task", Some(etag))
    }

    /// Refuses the request if its preconditions do not hold for the version `etag` of the schedule; `None` if it does not
    /// exist.
    pub(crate) fn check_schedule_preconditions(&self, etag: Option<&str>) -> Result<(), HttpError> {
        precondition::check(&self.parts.method, &self.parts.headers, "schedule", etag)
    }

    pub(crate) fn query(&self) -> Result<Query, HttpError> {
        Query::parse(self.parts.uri.query().unwrap_or_default())
    }

    /// Parses a parameter that is `true` or `false`; `false` if it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, HttpError> {
        match self.query()?.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid_parameter(format!("{name}: must be true or false."))),
        }
    }

    /// The `traceparent` header (W3C Trace Context) if it is valid.
    pub(crate) fn trace_parent(&self) -> Option<String> {
        trace::parent(self.headers()).map(str::to_owned)
    }

    /// Refuses a request with a longer address or header section than clients of this API need.
    pub(crate) fn check_size(&self) -> Result<(), HttpError> {
        let uri = &self.parts.uri;
        if uri.path().len() + uri.query().map_or(0, str::len) > MAX_ADDRESS_BYTES {
            let detail = format!("Path and query must not exceed {MAX_ADDRESS_BYTES} bytes.");
            return Err(HttpError::new(ProblemKind::AddressTooLong, detail));
        }
        let size: usize = self.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > MAX_HEADER_BYTES {
            let detail =
                format!("Header names and values must not exceed {MAX_HEADER_BYTES} bytes in total.");
            return Err(HttpError::new(ProblemKind::HeadersTooLarge, detail));
        }
        Ok(())
    }

    /// The public address of the API, without a slash at the end: `public_base_url`, otherwise the address of this
    /// request.
    pub(crate) fn base_url(&self, settings: &ApiSettings) -> Result<String, HttpError> {
        if let Some(configured) = &settings.public_base_url {
            return Ok(configured.clone());
        }
        let forwarded = |name| {
            let value = settings.trust_forwarded.then(|| self.headers().get(name)?.to_str().ok()).flatten();
            // Each proxy appends its value; the first one is the address that the client used.
            value.and_then(|list| list.split(',').next()).map(str::trim).filter(|first| !first.is_empty())
        };
        let host = forwarded("x-forwarded-host")
            .or_else(|| text(self.headers(), HOST))
            .or_else(|| self.parts.uri.authority().map(Authority::as_str));
        let host = host.filter(|host| {
            host.parse::<Authority>().is_ok_and(|a| a.as_str() == *host && !host.contains('@'))
        });
        let Some(host) = host else {
            return Err(HttpError::new(
                ProblemKind::InvalidHeader,
                "The Host header must name the host of this API.",
            ));
        };
        let scheme = match forwarded("x-forwarded-proto") {
            Some(scheme) => scheme,
            None => self.scheme(),
        };
        let scheme = if scheme.eq_ignore_ascii_case("https") { "https" } else { "http" };
        Ok(format!("{scheme}://{host}"))
    }

    /// Absolute address of the status monitor of a task.
    pub(crate) fn task_url(&self, settings: &ApiSettings, id: TaskId) -> Result<String, HttpError> {
        Ok(format!("{}/tasks/{id}", self.base_url(settings)?))
    }

    fn scheme(&self) -> &str {
        if let Some(scheme) = self.parts.uri.scheme_str() {
            return scheme;
        }
        // Spin sets this header and overwrites a value that the client sent.
        let full = text(self.headers(), http::HeaderName::from_static("spin-full-url"));
        match full.and_then(|url| url.split_once("://")) {
            Some(("https", _)) => "https",
            _ => "http",
        }
    }
}
