//! Preconditions of a request about one task (RFC 9110, section 13).

use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Method};
use service::problem::{Kind, Refusal};

use crate::http::headers::{items, none_match};

/// Refuses a request that was made for another version of the task than `etag`. Asked once the task is
/// found and would otherwise be answered with success: an error comes before a precondition.
///
/// `If-Unmodified-Since` is ignored, as the RFC wants it where a resource has no modification date.
pub(crate) fn check(method: &Method, headers: &HeaderMap, etag: &str) -> Result<(), Refusal> {
    let stale = headers.contains_key(IF_MATCH) && !matches(headers, etag);
    // Of a safe method it means 304, which is its route's own to answer.
    let known = !method.is_safe() && headers.contains_key(IF_NONE_MATCH) && none_match(headers, etag);
    let detail = if stale {
        "The task is not of the version that If-Match names. Read it again and decide anew."
    } else if known {
        "The task is of a version that If-None-Match excludes."
    } else {
        return Ok(());
    };
    Err(Refusal::new(Kind::PreconditionFailed, detail).header(ETAG, etag))
}

/// Whether `If-Match` names `etag` (strong comparison: a weak tag never does) or is `*`.
fn matches(headers: &HeaderMap, etag: &str) -> bool {
    items(headers, IF_MATCH).any(|tag| tag == "*" || tag == etag && !tag.starts_with("W/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::HeaderName;

    const ETAG_NOW: &str = "\"0x8D\"";

    fn passes(method: &Method, name: &HeaderName, lines: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        check(method, &headers, ETAG_NOW).is_ok()
    }

    #[test]
    fn if_match_is_compared_strongly_against_every_tag_of_every_line() {
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
    fn if_none_match_excludes_versions_from_a_change_and_not_from_a_look() {
        for lines in [&["\"0x8D\""][..], &["W/\"0x8D\""], &["*"]] {
            assert!(!passes(&Method::DELETE, &IF_NONE_MATCH, lines), "{lines:?}");
            assert!(passes(&Method::GET, &IF_NONE_MATCH, lines), "{lines:?}");
        }
        assert!(passes(&Method::POST, &IF_NONE_MATCH, &["\"other\""]));
    }
}
