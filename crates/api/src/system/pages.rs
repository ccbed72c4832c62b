//! The static pages: dashboard, API reference, OpenAPI document.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use service::response::{self, Response};

use crate::http::call::Call;
use crate::http::headers;

/// One static file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its content.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// Its entity tag, quotes included; changes with the content.
    pub etag: String,
}

/// Finds static files.
pub trait AssetSource {
    /// The file at `path`: relative, with forward slashes, such as `index.html` or `swagger/index.html`.
    fn get(&self, path: &str) -> Option<Asset>;
}

/// The static files of a component.
pub type Assets = Box<dyn AssetSource>;

/// Everything from this origin. The API reference sets styles from script, hence the exception for them.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Where the .NET sample has the description of its API.
const DOTNET_DOCUMENT: &str = "/swagger/v1/swagger.json";

/// The value of `Allow`.
pub(crate) const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The asset that is shown at a path of the API.
pub(crate) fn asset_path(path: &str) -> &str {
    match path {
        "/" => "index.html",
        "/swagger" | "/swagger/" => "swagger/index.html",
        DOTNET_DOCUMENT => "openapi.json",
        _ => path.trim_start_matches('/'),
    }
}

/// Where the API reference is, seen from the addresses below its own. Everything in a page is found from
/// the page's address, so that it works behind any prefix, and for that each page has one address.
fn moved(path: &str) -> Option<&'static str> {
    matches!(path, "/swagger/" | "/swagger/index.html").then_some("../swagger")
}

/// What `openapi.json` says about the API's address: where the document is.
const SERVERS: &[u8] = b"\"servers\":[{\"url\":\".\"}]";

/// The document as it must be at the address where the .NET sample has it, two steps further down.
fn two_steps_down(document: &Bytes) -> Bytes {
    let Some(at) = document.windows(SERVERS.len()).position(|part| part == SERVERS) else {
        return document.clone();
    };
    let (front, back) = (document.slice(..at), document.slice(at + SERVERS.len()..));
    [&front[..], b"\"servers\":[{\"url\":\"../..\"}]", &back[..]].concat().into()
}

pub(crate) fn page(call: &Call, mut asset: Asset) -> Response {
    if let Some(address) = moved(call.path()) {
        let mut answer = response::empty(StatusCode::PERMANENT_REDIRECT);
        response::set(&mut answer, LOCATION, address);
        return answer;
    }
    if call.path() == DOTNET_DOCUMENT {
        asset.bytes = two_steps_down(&asset.bytes);
    }
    let mut answer = if headers::none_match(call.headers(), &asset.etag) {
        response::empty(StatusCode::NOT_MODIFIED)
    } else {
        let mut answer = response::full(StatusCode::OK, asset.bytes);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        answer
    };
    response::set(&mut answer, ETAG, &asset.etag);
    let headers = answer.headers_mut();
    // Kept by browsers, asked for again every time: a new release shows at once.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    answer
}
