//! Reading the JSON body of a submission.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use service::body::{BodyError, RequestBody};
use service::env::Env;
use service::problem::{HttpError, ProblemKind};

use crate::http::headers::text;
use crate::http::media_type::{Charset, require_json};

/// Time in which a client must send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a JSON body of at most `limit` bytes. A body in UTF-16 is converted to UTF-8.
///
/// # Errors
/// If the headers announce another media type or a larger body, or the body is too large, too slow, incomplete or
/// not in the announced charset.
pub(crate) async fn read_json<B: RequestBody>(
    env: &dyn Env,
    headers: &HeaderMap,
    limit: usize,
    body: &mut B,
) -> Result<Bytes, HttpError> {
    let too_large =
        || HttpError::new(ProblemKind::BodyTooLarge, format!("The body must not exceed {limit} bytes."));
    refuse_content_encoding(headers)?;
    let charset = require_json(headers)?;
    if content_length(headers).is_some_and(|size| size > limit as u64) {
        return Err(too_large());
    }
    let read = pin!(body.read(limit));
    let timeout = pin!(env.sleep(BODY_TIMEOUT));
    match select(read, timeout).await {
        Either::Left((Ok(bytes), _)) if charset == Charset::Utf8 => Ok(bytes),
        Either::Left((Ok(bytes), _)) => from_utf16(&bytes).map(Bytes::from).ok_or_else(|| {
            HttpError::new(
                ProblemKind::InvalidBody,
                "The body is not UTF-16, which its Content-Type announces.",
            )
        }),
        Either::Left((Err(BodyError::TooLarge(_)), _)) => Err(too_large()),
        Either::Left((Err(BodyError::Broken(_)), _)) => {
            Err(HttpError::new(ProblemKind::InvalidBody, "The body ended before it was complete."))
        }
        Either::Right(_) => {
            let detail = format!("The body must arrive within {} seconds.", BODY_TIMEOUT.as_secs());
            Err(HttpError::new(ProblemKind::BodyTimeout, detail))
        }
    }
}

fn refuse_content_encoding(headers: &HeaderMap) -> Result<(), HttpError> {
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(HttpError::new(ProblemKind::UnsupportedMediaType, "Send the body without Content-Encoding."))
        }
        _ => Ok(()),
    }
}

/// The value of `Content-Length` in bytes. Values that overflow `u64` saturate.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let digits = text(headers, CONTENT_LENGTH)?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Converts UTF-16 to UTF-8; `None` if the body is not UTF-16.
fn from_utf16(body: &[u8]) -> Option<Vec<u8>> {
    let read = if body.starts_with(&[0xfe, 0xff]) { u16::from_be_bytes } else { u16::from_le_bytes };
    let (pairs, rest) = body.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
    rest.is_empty().then(|| String::from_utf16(&units).ok())?.map(String::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn utf_16_converts_in_both_byte_orders() {
        let text = "{\"TaskName\":\"ä\u{1F600}\"}";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(from_utf16(&little).as_deref(), Some(text.as_bytes()));
        assert_eq!(from_utf16(&big).as_deref(), Some(format!("\u{feff}{text}").as_bytes()));
        assert_eq!(from_utf16(b""), Some(Vec::new()));
        for broken in [&little[..little.len() - 1], &[0x00, 0xd8], &[0x00, 0xdc, 0x41, 0x00]] {
            assert_eq!(from_utf16(broken), None);
        }
    }

    #[test]
    fn only_the_identity_coding_is_accepted() {
        let with = |coding| HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
        assert!(refuse_content_encoding(&with("gzip")).is_err());
        assert!(refuse_content_encoding(&with("Identity")).is_ok());
        assert!(refuse_content_encoding(&HeaderMap::new()).is_ok());
    }
}
