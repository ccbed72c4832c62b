//! The `Range` header.
//! <https://learn.microsoft.com/rest/api/storageservices/specifying-the-range-header-for-blob-service-operations>

use http::StatusCode;

use crate::call::Call;
use crate::response::ServiceError;

/// The part of a blob of `size` bytes that `call` asks for: first byte and count. `x-ms-range` wins over `Range`.
///
/// # Errors
/// `400` for a form that the service does not know (a suffix, several ranges), `416` past the end.
pub(super) fn requested(call: &Call, size: usize) -> Result<Option<(usize, usize)>, ServiceError> {
    let (name, value) = match (call.header("x-ms-range"), call.header("range")) {
        (Some(value), _) => ("x-ms-range", value),
        (None, Some(value)) => ("Range", value),
        (None, None) => return Ok(None),
    };
    let malformed = || ServiceError::invalid_header(name, &value);
    let (first, last) =
        value.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(malformed)?;
    let first: usize = first.parse().map_err(|_| malformed())?;
    let last: usize = if last.is_empty() { usize::MAX } else { last.parse().map_err(|_| malformed())? };
    if last < first {
        return Err(malformed());
    }
    if first >= size {
        return Err(ServiceError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
        )
        .header("content-range", format!("bytes */{size}")));
    }
    Ok(Some((first, last.min(size - 1) - first + 1)))
}
