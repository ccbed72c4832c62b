//! Parses the responses of the Blob service.

use time::OffsetDateTime;

use super::{Blob, BlobItem, BlobPage, BlobProperties, Condition, Read, Write};
use crate::Error;
use crate::moment::parse_http_date;
use crate::response::ServiceResponse;
use crate::xml::{Fields, Shape};

const LIST: Shape = Shape {
    root: "EnumerationResults",
    record: "Blobs/Blob",
    leaves: &[
        "Name",
        "Properties/Etag",
        "Properties/Last-Modified",
        "Properties/Content-Length",
        "Metadata/note",
        "NextMarker",
    ],
};

pub(super) fn create_container(response: &ServiceResponse) -> Result<(), Error> {
    match response.status {
        201 => Ok(()),
        409 if response.code() == "ContainerAlreadyExists" => Ok(()),
        _ => Err(response.error()),
    }
}

/// A 412 because of a blob lease is not about the entity tag.
fn is_condition_not_met(response: &ServiceResponse) -> bool {
    response.status == 412 && !response.code().starts_with("Lease")
}

/// Whether the blob is missing. A missing container is an error instead, because the configuration may name a wrong one.
fn is_missing(response: &ServiceResponse) -> bool {
    response.status == 404 && matches!(response.code().as_str(), "BlobNotFound" | "ResourceNotFound")
}

pub(super) fn put(response: &ServiceResponse, condition: Condition<'_>) -> Result<Write, Error> {
    match (response.status, condition) {
        (201, _) => Ok(Write::Done(response.required("etag")?.to_owned())),
        (409, Condition::IfAbsent) if response.code() == "BlobAlreadyExists" => Ok(Write::Conflict),
        (404, Condition::IfMatch(_)) if response.code() == "BlobNotFound" => Ok(Write::Conflict),
        (_, Condition::IfAbsent | Condition::IfMatch(_)) if is_condition_not_met(response) => {
            Ok(Write::Conflict)
        }
        _ => Err(response.error()),
    }
}

/// Put Block and Put Block List.
pub(super) fn stored(response: &ServiceResponse) -> Result<(), Error> {
    if response.status == 201 { Ok(()) } else { Err(response.error()) }
}

pub(super) fn get(response: ServiceResponse) -> Result<Read, Error> {
    match response.status {
        200 | 206 => {
            let total_size = match response.header("content-range") {
                Some(range) if response.status == 206 => range
                    .rsplit_once('/')
                    .and_then(|(_, total)| total.parse().ok())
                    .ok_or_else(|| response.unexpected("a content-range without a total"))?,
                _ if response.status == 206 => {
                    return Err(response.unexpected("a part without content-range"));
                }
                _ => u64::try_from(response.body.len()).unwrap_or(u64::MAX),
            };
            let properties = properties(&response, total_size)?;
            Ok(Read::Found(Blob {
                bytes: response.body,
                etag: properties.etag,
                content_type: properties.content_type,
                total_size,
                last_modified: properties.last_modified,
            }))
        }
        304 => Ok(Read::Unchanged),
        _ if is_missing(&response) => Ok(Read::Missing),
        _ if is_condition_not_met(&response) => Ok(Read::Changed),
        _ => Err(response.error()),
    }
}

pub(super) fn head(response: &ServiceResponse) -> Result<Option<BlobProperties>, Error> {
    match response.status {
        200 => {
            let size = response.required("content-length")?.parse();
            properties(response, size.map_err(|_| response.unexpected("a content-length that is no number"))?)
                .map(Some)
        }
        _ if is_missing(response) => Ok(None),
        _ => Err(response.error()),
    }
}

fn properties(response: &ServiceResponse, size: u64) -> Result<BlobProperties, Error> {
    Ok(BlobProperties {
        etag: response.required("etag")?.to_owned(),
        content_type: response.header("content-type").unwrap_or("application/octet-stream").to_owned(),
        size,
        last_modified: date(response, response.required("last-modified")?)?,
    })
}

fn date(response: &ServiceResponse, text: &str) -> Result<OffsetDateTime, Error> {
    parse_http_date(text).ok_or_else(|| response.unexpected("a date that is none"))
}

pub(super) fn delete(response: &ServiceResponse, condition: Condition<'_>) -> Result<Write<()>, Error> {
    match response.status {
        202 => Ok(Write::Done(())),
        _ if is_missing(response) => Ok(Write::Done(())),
        _ if condition != Condition::Always && is_condition_not_met(response) => Ok(Write::Conflict),
        _ => Err(response.error()),
    }
}

pub(super) fn list(response: &ServiceResponse) -> Result<BlobPage, Error> {
    if response.status != 200 {
        return Err(response.error());
    }
    let document = response.xml(LIST)?;
    let blobs = document.records.iter().map(|fields| item(response, fields)).collect::<Result<_, _>>()?;
    let next = document.fields.get("NextMarker").filter(|marker| !marker.is_empty()).map(str::to_owned);
    Ok(BlobPage { blobs, next })
}

fn item(response: &ServiceResponse, fields: &Fields) -> Result<BlobItem, Error> {
    let field = |name: &str| {
        fields.get(name).ok_or_else(|| response.unexpected(format!("a listed blob without {name}")))
    };
    let etag = field("Properties/Etag")?;
    Ok(BlobItem {
        name: field("Name")?.to_owned(),
        // Listings have entity tags without the quotes of headers.
        etag: if etag.starts_with('"') { etag.to_owned() } else { format!("\"{etag}\"") },
        last_modified: date(response, field("Properties/Last-Modified")?)?,
        size: field("Properties/Content-Length")?
            .parse()
            .map_err(|_| response.unexpected("a listed size that is no number"))?,
        note: fields.get("Metadata/note").filter(|note| !note.is_empty()).map(str::to_owned),
    })
}
