//! What the answers of the Blob service mean.

use time::OffsetDateTime;

use super::{Blob, BlobItem, BlobPage, BlobProperties, Condition, Deleted, Get, Put};
use crate::Error;
use crate::answer::Answer;
use crate::moment::parse_http_date;
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

pub(super) fn create_container(answer: &Answer) -> Result<(), Error> {
    match answer.status {
        201 => Ok(()),
        409 if answer.code() == "ContainerAlreadyExists" => Ok(()),
        _ => Err(answer.error()),
    }
}

/// A blob that somebody holds a lease on is not a matter of entity tags.
fn is_condition_not_met(answer: &Answer) -> bool {
    answer.status == 412 && !answer.code().starts_with("Lease")
}

/// Only the blob. That there is no such container says nothing about it: somebody may be looking in the
/// wrong place.
fn is_missing(answer: &Answer) -> bool {
    answer.status == 404 && matches!(answer.code().as_str(), "BlobNotFound" | "ResourceNotFound")
}

pub(super) fn put(answer: &Answer, condition: Condition<'_>) -> Result<Put, Error> {
    match (answer.status, condition) {
        (201, _) => Ok(Put::Stored(answer.required("etag")?.to_owned())),
        (409, Condition::IfAbsent) if answer.code() == "BlobAlreadyExists" => Ok(Put::ConditionNotMet),
        (404, Condition::IfMatch(_)) if answer.code() == "BlobNotFound" => Ok(Put::ConditionNotMet),
        (_, Condition::IfAbsent | Condition::IfMatch(_)) if is_condition_not_met(answer) => {
            Ok(Put::ConditionNotMet)
        }
        _ => Err(answer.error()),
    }
}

pub(super) fn get(answer: Answer) -> Result<Get, Error> {
    match answer.status {
        200 | 206 => {
            let total_size = match answer.header("content-range") {
                Some(range) if answer.status == 206 => range
                    .rsplit_once('/')
                    .and_then(|(_, total)| total.parse().ok())
                    .ok_or_else(|| answer.unexpected("a content-range without a total"))?,
                _ if answer.status == 206 => return Err(answer.unexpected("a part without content-range")),
                _ => u64::try_from(answer.body.len()).unwrap_or(u64::MAX),
            };
            let properties = properties(&answer, total_size)?;
            Ok(Get::Found(Blob {
                bytes: answer.body,
                etag: properties.etag,
                content_type: properties.content_type,
                total_size,
                last_modified: properties.last_modified,
            }))
        }
        304 => Ok(Get::NotModified),
        _ if is_missing(&answer) => Ok(Get::NotFound),
        _ if is_condition_not_met(&answer) => Ok(Get::ConditionNotMet),
        _ => Err(answer.error()),
    }
}

pub(super) fn head(answer: &Answer) -> Result<Option<BlobProperties>, Error> {
    match answer.status {
        200 => {
            let size = answer.required("content-length")?.parse();
            properties(answer, size.map_err(|_| answer.unexpected("a content-length that is no number"))?)
                .map(Some)
        }
        _ if is_missing(answer) => Ok(None),
        _ => Err(answer.error()),
    }
}

fn properties(answer: &Answer, size: u64) -> Result<BlobProperties, Error> {
    Ok(BlobProperties {
        etag: answer.required("etag")?.to_owned(),
        content_type: answer.header("content-type").unwrap_or("application/octet-stream").to_owned(),
        size,
        last_modified: date(answer, answer.required("last-modified")?)?,
    })
}

fn date(answer: &Answer, text: &str) -> Result<OffsetDateTime, Error> {
    parse_http_date(text).ok_or_else(|| answer.unexpected("a date that is none"))
}

pub(super) fn delete(answer: &Answer, condition: Condition<'_>) -> Result<Deleted, Error> {
    match answer.status {
        202 => Ok(Deleted::Done),
        _ if is_missing(answer) => Ok(Deleted::Done),
        _ if condition != Condition::Always && is_condition_not_met(answer) => Ok(Deleted::ConditionNotMet),
        _ => Err(answer.error()),
    }
}

pub(super) fn list(answer: &Answer) -> Result<BlobPage, Error> {
    if answer.status != 200 {
        return Err(answer.error());
    }
    let document = answer.xml(LIST)?;
    let blobs = document.records.iter().map(|fields| item(answer, fields)).collect::<Result<_, _>>()?;
    let next = document.fields.get("NextMarker").filter(|marker| !marker.is_empty()).map(str::to_owned);
    Ok(BlobPage { blobs, next })
}

fn item(answer: &Answer, fields: &Fields) -> Result<BlobItem, Error> {
    let field = |name: &str| {
        fields.get(name).ok_or_else(|| answer.unexpected(format!("a listed blob without {name}")))
    };
    let etag = field("Properties/Etag")?;
    Ok(BlobItem {
        name: field("Name")?.to_owned(),
        // Listed without the quotes that headers have.
        etag: if etag.starts_with('"') { etag.to_owned() } else { format!("\"{etag}\"") },
        last_modified: date(answer, field("Properties/Last-Modified")?)?,
        size: field("Properties/Content-Length")?
            .parse()
            .map_err(|_| answer.unexpected("a listed size that is no number"))?,
        note: fields.get("Metadata/note").filter(|note| !note.is_empty()).map(str::to_owned),
    })
}
