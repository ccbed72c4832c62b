//! The static pages: dashboard, API reference, OpenAPI document.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};

use super::answer::{self, Answer};
use super::call::Call;
use super::headers;

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

/// The asset that is shown at a path of the API.
pub(crate) fn asset_path(path: &str) -> &str {
    match path {
        "/" => "index.html",
        "/swagger" | "/swagger/" => "swagger/index.html",
        "/swagger/v1/swagger.json" => "openapi.json",
        _ => path.trim_start_matches('/'),
    }
}

pub(crate) fn page(call: &Call, asset: Asset) -> Answer {
    let mut answer = if headers::none_match(call.headers(), &asset.etag) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        let mut answer = answer::full(StatusCode::OK, asset.bytes);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        answer
    };
    answer::set(&mut answer, ETAG, &asset.etag);
    let headers = answer.headers_mut();
    // Kept by browsers, asked for again every time: a new release shows at once.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    answer
}
