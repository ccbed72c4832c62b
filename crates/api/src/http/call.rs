//! One request: its head, its caller, its trace and the address it was sent to.

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use models::TaskId;
use service::problem::{Kind, Refusal};
use service::settings::ApiSettings;
use service::trace;

use crate::http::auth::Caller;
use crate::http::headers::text;
use crate::http::precondition;
use crate::http::query::{Query, refused};

/// Longest path with query, in bytes.
const LONGEST_ADDRESS: usize = 8 * 1024;
/// Longest header section, in bytes: names and values.
const LONGEST_HEADERS: usize = 32 * 1024;

/// The head of one request.
pub(crate) struct Call {
    parts: Parts,
    /// Who calls; set once the caller is identified.
    pub(crate) caller: Caller,
    /// Trace id of the request, the caller's or a new one.
    pub(crate) trace_id: String,
}

impl Call {
    /// `random` makes the trace id when the caller sent none.
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

    /// Refuses the request when it was made for another version of its task than `etag`.
    pub(crate) fn check_version(&self, etag: &str) -> Result<(), Refusal> {
        precondition::check(&self.parts.method, &self.parts.headers, etag)
    }

    pub(crate) fn query(&self) -> Result<Query, Refusal> {
        Query::parse(self.parts.uri.query().unwrap_or_default())
    }

    /// A parameter that is `true` or `false`, absent being `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.query()?.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(refused(format!("{name}: must be true or false."))),
        }
    }

    /// The W3C `traceparent` as sent, when it is valid.
    pub(crate) fn trace_parent(&self) -> Option<String> {
        trace::parent(self.headers()).map(str::to_owned)
    }

    /// Refuses a head that is larger than anything a client of this API needs.
    pub(crate) fn check_size(&self) -> Result<(), Refusal> {
        let uri = &self.parts.uri;
        if uri.path().len() + uri.query().map_or(0, str::len) > LONGEST_ADDRESS {
            let detail = format!("Path and query must not exceed {LONGEST_ADDRESS} bytes.");
            return Err(Refusal::new(Kind::AddressTooLong, detail));
        }
        let size: usize = self.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > LONGEST_HEADERS {
            let detail = format!("Header names and values must not exceed {LONGEST_HEADERS} bytes in total.");
            return Err(Refusal::new(Kind::HeadersTooLarge, detail));
        }
        Ok(())
    }

    /// Where clients reach this API: as configured, else as this request was addressed. Without a
    /// trailing slash.
    pub(crate) fn base_url(&self, settings: &ApiSettings) -> Result<String, Refusal> {
        if let Some(configured) = &settings.public_base_url {
            return Ok(configured.clone());
        }
        let forwarded = |name| {
            let value = settings.trust_forwarded.then(|| self.headers().get(name)?.to_str().ok()).flatten();
            // The nearest proxy appends; the first entry is what the client used.
            value.and_then(|list| list.split(',').next()).map(str::trim)
        };
        let host = forwarded("x-forwarded-host")
            .or_else(|| text(self.headers(), HOST))
            .or_else(|| self.parts.uri.authority().map(Authority::as_str));
        let host = host.filter(|host| {
            host.parse::<Authority>().is_ok_and(|a| a.as_str() == *host && !host.contains('@'))
        });
        let Some(host) = host else {
            return Err(Refusal::new(Kind::InvalidHeader, "The Host header must name the host of this API."));
        };
        let scheme = match forwarded("x-forwarded-proto") {
            Some(scheme) => scheme,
            None => self.scheme(),
        };
        let scheme = if scheme.eq_ignore_ascii_case("https") { "https" } else { "http" };
        Ok(format!("{scheme}://{host}"))
    }

    /// Absolute address of a task.
    pub(crate) fn task_url(&self, settings: &ApiSettings, id: TaskId) -> Result<String, Refusal> {
        Ok(format!("{}/tasks/{id}", self.base_url(settings)?))
    }

    fn scheme(&self) -> &str {
        if let Some(scheme) = self.parts.uri.scheme_str() {
            return scheme;
        }
        // Spin's own account of the address; Spin overwrites what a client sends under this name.
        let full = text(self.headers(), http::HeaderName::from_static("spin-full-url"));
        match full.and_then(|url| url.split_once("://")) {
            Some(("https", _)) => "https",
            _ => "http",
        }
    }
}
