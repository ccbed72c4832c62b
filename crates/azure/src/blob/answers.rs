//! What the answers of the Blob service mean.

use time::OffsetDateTime;

use super::{Blob, BlobItem, BlobPage, BlobProperties, Condition, Read, Write};
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

pub(super) fn put(answer: &Answer, condition: Condition<'_>) -> Result<Write, Error> {
    match (answer.status, condition) {
        (201, _) => Ok(Write::Done(answer.required("etag")?.to_owned())),
        (409, Condition::IfAbsent) if answer.code() == "BlobAlreadyExists" => Ok(Write::Conflict),
        (404, Condition::IfMatch(_)) if answer.code() == "BlobNotFound" => Ok(Write::Conflict),
        (_, Condition::IfAbsent | Condition::IfMatch(_)) if is_condition_not_met(answer) => {
            Ok(Write::Conflict)
        }
        _ => Err(answer.error()),
    }
}

pub(super) fn get(answer: Answer) -> Result<Read, Error> {
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
            Ok(Read::Found(Blob {
                bytes: answer.body,
                etag: properties.etag,
                content_type: properties.content_type,
                total_size,
                last_modified: properties.last_modified,
            }))
        }
        304 => Ok(Read::Unchanged),
        _ if is_missing(&answer) => Ok(Read::Missing),
        _ if is_condition_not_met(&answer) => Ok(Read::Changed),
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

pub(super) fn delete(answer: &Answer, condition: Condition<'_>) -> Result<Write<()>, Error> {
    match answer.status {
        202 => Ok(Write::Done(())),
        _ if is_missing(answer) => Ok(Write::Done(())),
        _ if condition != Condition::Always && is_condition_not_met(answer) => Ok(Write::Conflict),
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
