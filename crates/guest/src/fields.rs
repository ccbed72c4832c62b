//! Conversion of header fields between the `http` crate and WASI, in the fewest host calls.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use spin_sdk::wasip3::http::types::{Fields, HeaderError};

/// Copies all fields in one host call; `None` if one of them is not a valid HTTP field.
pub(crate) fn from_wasi(fields: &Fields) -> Option<HeaderMap> {
    let list = fields.copy_all();
    let mut headers = HeaderMap::with_capacity(list.len());
    for (name, value) in list {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(Bytes::from(value)).ok()?);
    }
    Some(headers)
}

/// Passes fields to the host in one call.
pub(crate) fn to_wasi<'a>(
    fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) -> Result<Fields, HeaderError> {
    let list: Vec<_> =
        fields.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    Fields::from_list(&list)
}

/// The announced length of a body in bytes; `None` if it is absent or not a number.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
