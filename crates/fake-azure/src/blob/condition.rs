//! Conditional headers.
//! <https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations>

use time::OffsetDateTime;

use crate::call::Call;
use crate::dates::parse_http_date;
use crate::response::ServiceError;
use crate::state::blob::Blob;

/// The conditions of one request.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
    modified_since: Option<OffsetDateTime>,
    unmodified_since: Option<OffsetDateTime>,
}

/// Why a condition does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// `If-None-Match: *` on something that exists.
    Exists,
    /// `If-None-Match` or `If-Modified-Since`: what the caller has is still current.
    Unchanged,
    /// `If-Match` or `If-Unmodified-Since`: what the caller has is not current.
    Changed,
}

impl Conditions {
    /// Reads the four headers.
    ///
    /// # Errors
    /// `400 InvalidHeaderValue` for an ETag without its quotes or a malformed date.
    pub(super) fn of(call: &Call) -> Result<Self, ServiceError> {
        let etag = |name: &str| match call.header(name) {
            None => Ok(None),
            Some(value) if value == "*" => Ok(Some(value)),
            Some(value) if value.len() > 2 && value.starts_with('"') && value.ends_with('"') => {
                Ok(Some(value))
            }
            Some(value) => Err(ServiceError::invalid_header(name, &value)),
        };
        let date = |name: &str| match call.header(name) {
            None => Ok(None),
            Some(value) => {
                parse_http_date(&value).map(Some).ok_or_else(|| ServiceError::invalid_header(name, &value))
            }
        };
        Ok(Self {
            if_match: etag("if-match")?,
            if_none_match: etag("if-none-match")?,
            modified_since: date("if-modified-since")?,
            unmodified_since: date("if-unmodified-since")?,
        })
    }

    /// Compares with what is stored. HTTP dates have whole seconds, so those are compared.
    pub(super) fn check(&self, stored: Option<&Blob>) -> Result<(), Unmet> {
        let modified = stored.map(|blob| blob.modified.0.unix_timestamp());
        if let Some(expected) = &self.if_match
            && !stored.is_some_and(|blob| expected == "*" || *expected == blob.etag)
        {
            return Err(Unmet::Changed);
        }
        if let (Some(since), Some(modified)) = (self.unmodified_since, modified)
            && modified > since.unix_timestamp()
        {
            return Err(Unmet::Changed);
        }
        if let (Some(known), Some(blob)) = (&self.if_none_match, stored) {
            if known == "*" {
                return Err(Unmet::Exists);
            }
            if *known == blob.etag {
                return Err(Unmet::Unchanged);
            }
        }
        if let (Some(since), Some(modified)) = (self.modified_since, modified)
            && modified <= since.unix_timestamp()
        {
            return Err(Unmet::Unchanged);
        }
        Ok(())
    }
}
