//! Static pages: dashboard, API reference and OpenAPI document.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use service::response::{self, Response};

use crate::http::precondition;
use crate::http::request::ApiRequest;

/// One static file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Content of the file.
    pub bytes: Bytes,
    /// Media type.
    pub content_type: &'static str,
    /// Entity tag with its quotes; it changes with the content.
    pub etag: String,
}

/// A collection of static files.
pub trait AssetSource {
    /// Returns the file at a relative path such as `index.html` or `swagger/index.html`.
    fn get(&self, path: &str) -> Option<Asset>;
}

/// The static files of a component.
pub type Assets = Box<dyn AssetSource>;

/// Allows content from this origin only. Inline styles are allowed because the API reference sets styles from script.
const SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Path of the OpenAPI document in the .NET sample.
const DOTNET_OPENAPI_PATH: &str = "/swagger/v1/swagger.json";

/// The value of `Allow`.
pub(crate) const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The path of the file for a path of the API.
pub(crate) fn asset_path(path: &str) -> &str {
    match path {
        "/" => "index.html",
        "/swagger" | "/swagger/" => "swagger/index.html",
        DOTNET_OPENAPI_PATH => "openapi.json",
        _ => path.trim_start_matches('/'),
    }
}

/// The relative address to which a path of the API reference redirects. Pages use relative addresses, which work behind
/// any path prefix; therefore each page has one address.
fn redirect_target(path: &str) -> Option<&'static str> {
    matches!(path, "/swagger/" | "/swagger/index.html").then_some("../swagger")
}

/// The server address in `openapi.json`, relative to the document.
const SERVERS: &[u8] = b"\"servers\":[{\"url\":\".\"}]";

/// Adapts the server address to the path of the .NET sample, which has two more segments.
fn openapi_for_dotnet_path(document: &Bytes) -> Bytes {
    let Some(at) = document.windows(SERVERS.len()).position(|part| part == SERVERS) else {
        return document.clone();
    };
    let (front, back) = (document.slice(..at), document.slice(at + SERVERS.len()..));
    [&front[..], b"\"servers\":[{\"url\":\"../..\"}]", &back[..]].concat().into()
}

pub(crate) fn page_response(request: &ApiRequest, mut asset: Asset) -> Response {
    if let Some(address) = redirect_target(request.path()) {
        let mut response = response::empty(StatusCode::PERMANENT_REDIRECT);
        response::set(&mut response, LOCATION, address);
        return response;
    }
    if request.path() == DOTNET_OPENAPI_PATH {
        asset.bytes = openapi_for_dotnet_path(&asset.bytes);
    }
    let mut response = if precondition::if_none_match(request.headers(), &asset.etag) {
        response::empty(StatusCode::NOT_MODIFIED)
    } else {
        let mut response = response::full(StatusCode::OK, asset.bytes);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        response
    };
    response::set(&mut response, ETAG, &asset.etag);
    let headers = response.headers_mut();
    // Browsers revalidate the page with its ETag every time, so a new release is visible at once.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SECURITY_POLICY));
    response
}
