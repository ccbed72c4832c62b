//! Preconditions of a request for a task or a schedule (RFC 9110, section 13). Pure.

use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Method};
use service::problem::{HttpError, ProblemKind};

use crate::http::headers::list_items;

/// Refuses a request whose preconditions do not hold for the version `etag` of `what`, a task or a schedule; `None` if it does
/// not exist. Called when the request would succeed otherwise: other errors take precedence.
///
/// `If-Unmodified-Since` is ignored, which the RFC requires for a resource without a modification date.
pub(crate) fn check(
    method: &Method,
    headers: &HeaderMap,
    what: &str,
    etag: Option<&str>,
) -> Result<(), HttpError> {
    let is_other_version =
        headers.contains_key(IF_MATCH) && !etag.is_some_and(|etag| if_match(headers, etag));
    // For a safe method the response is 304, which the operation creates.
    let is_excluded = !method.is_safe()
        && headers.contains_key(IF_NONE_MATCH)
        && etag.is_some_and(|etag| if_none_match(headers, etag));
    let detail = match etag {
        _ if !is_other_version && !is_excluded => return Ok(()),
        None => format!("There is no such {what}, so it has no version that If-Match names."),
        Some(_) if is_other_version => {
            format!("The {what} is not of the version that If-Match names. Read it again and decide anew.")
        }
        Some(_) => format!("The {what} is of a version that If-None-Match excludes."),
    };
    let error = HttpError::new(ProblemKind::PreconditionFailed, detail);
    Err(match etag {
        Some(etag) => error.header(ETAG, etag),
        None => error,
    })
}

/// Whether `If-Match` contains `etag` (strong comparison: a weak tag never matches) or `*`.
fn if_match(headers: &HeaderMap, etag: &str) -> bool {
    list_items(headers, IF_MATCH).any(|tag| tag == "*" || tag == etag && !tag.starts_with("W/"))
}

/// Whether `If-None-Match` contains `etag` (weak comparison) or `*`.
pub(crate) fn if_none_match(headers: &HeaderMap, etag: &str) -> bool {
    let bare = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag) == etag;
    list_items(headers, IF_NONE_MATCH).any(|tag| tag == "*" || bare(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::HeaderName;

    const ETAG_NOW: &str = "\"0x8D\"";

    fn with(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_str(line).unwrap())).collect()
    }

    fn passes(method: &Method, name: &HeaderName, lines: &[&str]) -> bool {
        check(method, &with(name, lines), "task", Some(ETAG_NOW)).is_ok()
    }

    #[test]
    fn if_match_uses_strong_comparison_on_all_lines() {
        for method in [Method::GET, Method::DELETE, Method::POST] {
            for lines in [&["\"0x8D\""][..], &["*"], &["\"a\", \"0x8D\""], &["\"a\"", "\"0x8D\""], &[]] {
                assert!(passes(&method, &IF_MATCH, lines), "{method} {lines:?}");
            }
            for lines in [&["W/\"0x8D\""][..], &["\"0x8d\""], &["0x8D"], &[""], &["\"a\",\"b\""], &["ä"]] {
                assert!(!passes(&method, &IF_MATCH, lines), "{method} {lines:?}");
            }
        }
    }

    #[test]
    fn if_none_match_applies_to_unsafe_methods_only() {
        for lines in [&["\"0x8D\""][..], &["W/\"0x8D\""], &["*"]] {
            assert!(!passes(&Method::DELETE, &IF_NONE_MATCH, lines), "{lines:?}");
            assert!(passes(&Method::GET, &IF_NONE_MATCH, lines), "{lines:?}");
        }
        assert!(passes(&Method::POST, &IF_NONE_MATCH, &["\"other\""]));
    }

    #[test]
    fn missing_resource_has_no_version() {
        for (name, passes) in [(IF_MATCH, false), (IF_NONE_MATCH, true)] {
            let found = check(&Method::PUT, &with(&name, &["*"]), "schedule", None);
            assert_eq!(found.is_ok(), passes, "{name}");
        }
    }

    #[test]
    fn if_none_match_uses_weak_comparison() {
        let etag = "\"0x8D\"";
        for matching in ["*", "\"0x8D\"", "W/\"0x8D\"", "\"a\", \"0x8D\""] {
            assert!(if_none_match(&with(&IF_NONE_MATCH, &[matching]), etag), "{matching}");
        }
        for other in ["\"0x8d\"", "0x8D", "", "\"a\",\"b\""] {
            assert!(!if_none_match(&with(&IF_NONE_MATCH, &[other]), etag), "{other}");
        }
    }
}
