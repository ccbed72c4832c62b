//! Percent-encoding and Base64, as the services want them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// As above, for a path of several segments.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// One value of a query, or one segment of a path.
pub(crate) fn value(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A name that may hold slashes, which stay.
pub(crate) fn path(text: &str) -> String {
    utf8_percent_encode(text, RESERVED_IN_PATH).to_string()
}

/// Standard alphabet, with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads [`base64()`]; `None` when it is not that.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
