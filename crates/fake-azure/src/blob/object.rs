//! Put, get, describe and delete a blob.

use bytes::Bytes;
use http::StatusCode;

use super::condition::{Conditions, Unmet};
use super::{Context, range};
use crate::access::Caller;
use crate::dates::http_date;
use crate::response::{ServiceError, ServiceResponse};
use crate::state::blob::Blob;
use crate::state::{Change, Moment};

/// Largest blob that is taken in one piece, in bytes. Azure takes 5,000 MiB; this is a test double in memory.
pub(crate) const MAX_BLOB: usize = 256 * 1024 * 1024;

/// Longest blob name, in characters.
const MAX_NAME: usize = 1024;

/// Headers that are stored and returned: the name in Put Blob, the plain header that replaces a missing one, and the
/// name in Get Blob.
const PROPERTIES: [(&str, &str, &str); 4] = [
    ("x-ms-blob-cache-control", "cache-control", "cache-control"),
    ("x-ms-blob-content-disposition", "content-disposition", "content-disposition"),
    ("x-ms-blob-content-encoding", "content-encoding", "content-encoding"),
    ("x-ms-blob-content-language", "content-language", "content-language"),
];

pub(super) fn put(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    call.check_length()?;
    let name = context.blob_name().to_owned();
    if name.chars().count() > MAX_NAME {
        return Err(ServiceError::bad_request(
            "OutOfRangeInput",
            "One of the request inputs is out of range: the blob name is longer than 1,024 characters.",
        ));
    }
    match call.header("x-ms-blob-type").as_deref() {
        Some("BlockBlob") => {}
        Some(other @ ("PageBlob" | "AppendBlob")) => {
            return Err(ServiceError::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                format!("fake-azure stores block blobs only, not {other}."),
            ));
        }
        Some(other) => return Err(ServiceError::invalid_header("x-ms-blob-type", other)),
        None => return Err(ServiceError::missing_header("x-ms-blob-type")),
    }
    if call.body.len() > MAX_BLOB {
        return Err(ServiceError::body_too_large(MAX_BLOB));
    }
    write(context, name, call.body.clone(), Vec::new())
}

/// Stores a blob with this content, with the conditions and properties of the call.
pub(super) fn write(
    context: &mut Context<'_>,
    name: String,
    content: Bytes,
    blocks: Vec<(String, usize)>,
) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    let conditions = Conditions::of(call)?;
    let stored = context.container()?.blobs.get(&name);
    conditions.check(stored).map_err(|unmet| match unmet {
        // Create-if-absent has a code of its own; every other condition is the general one.
        Unmet::Exists => ServiceError::conflict("BlobAlreadyExists", "The specified blob already exists."),
        Unmet::Unchanged | Unmet::Changed => ServiceError::condition_not_met(),
    })?;
    if stored.is_some() {
        check_overwrite(&context.caller)?;
    }
    let created = stored.map_or(Moment(context.now), |blob| blob.created);
    // The body of Put Block List is XML, whatever the blob is.
    let plain = if blocks.is_empty() { call.header("content-type") } else { None };
    let content_type = call.header("x-ms-blob-content-type").or(plain);
    let properties = PROPERTIES
        .into_iter()
        .filter_map(|(blob, plain, stored)| {
            let value = call.header(blob).or_else(|| call.header(plain))?;
            Some((stored.to_owned(), value))
        })
        .collect();
    let blob = Blob {
        content,
        blocks,
        etag: context.ids.etag(),
        created,
        modified: Moment(context.now),
        content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        properties,
        metadata: call.metadata()?,
    };
    Ok(store(context, name, blob, StatusCode::CREATED).header("x-ms-request-server-encrypted", "true"))
}

/// Stores the blob; the response has its new version.
fn store(context: &mut Context<'_>, name: String, blob: Blob, status: StatusCode) -> ServiceResponse {
    let response = ServiceResponse::new(status)
        .header("etag", &blob.etag)
        .header("last-modified", &http_date(blob.modified.0));
    let (account, container) = (context.call.target.account.clone(), context.call.target.name.clone());
    context.state.apply(Change::Blob { account, container, name, blob: Box::new(blob) });
    response
}

/// `sp=c` creates but does not overwrite.
fn check_overwrite(caller: &Caller) -> Result<(), ServiceError> {
    match caller {
        Caller::AccountSas { permissions, .. } | Caller::Sas { permissions, .. }
            if !permissions.contains('w') =>
        {
            Err(ServiceError::forbidden(
                "UnauthorizedBlobOverwrite",
                "This request is not authorized to perform blob overwrites.",
            ))
        }
        _ => Ok(()),
    }
}

pub(super) fn get(context: &Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    let blob = context.blob()?;
    check_read(context, blob)?;
    let part = range::requested(call, blob.content.len())?;
    let mut response = describe(ServiceResponse::new(StatusCode::OK), blob);
    response.body = match part {
        None => blob.content.clone(),
        Some((first, count)) => {
            response.status = StatusCode::PARTIAL_CONTENT;
            let last = first + count - 1;
            response =
                response.header("content-range", &format!("bytes {first}-{last}/{}", blob.content.len()));
            blob.content.slice(first..first + count)
        }
    };
    // A signed link may set headers of the response.
    for (parameter, header) in [
        ("rscc", "cache-control"),
        ("rscd", "content-disposition"),
        ("rsce", "content-encoding"),
        ("rscl", "content-language"),
        ("rsct", "content-type"),
    ] {
        if let (Caller::Sas { .. }, Some(value)) = (&context.caller, call.param(parameter)) {
            response = response.header(header, value);
        }
    }
    Ok(response)
}

pub(super) fn properties(context: &Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let blob = context.blob()?;
    check_read(context, blob)?;
    let response = describe(ServiceResponse::new(StatusCode::OK), blob);
    // HEAD returns the length of what GET would send; Get Blob Metadata has no body at all.
    let is_metadata = context.call.param("comp").is_some();
    let length = if is_metadata { 0 } else { blob.content.len() };
    Ok(response.header("content-length", &length.to_string()))
}

pub(super) fn set_metadata(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    let conditions = Conditions::of(call)?;
    let blob = context.blob()?;
    conditions.check(Some(blob)).map_err(|_| ServiceError::condition_not_met())?;
    let mut blob = blob.clone();
    let name = context.blob_name().to_owned();
    blob.metadata = call.metadata()?;
    blob.etag = context.ids.etag();
    blob.modified = Moment(context.now);
    Ok(store(context, name, blob, StatusCode::OK))
}

pub(super) fn delete(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    let conditions = Conditions::of(call)?;
    conditions.check(Some(context.blob()?)).map_err(|_| ServiceError::condition_not_met())?;
    let name = context.blob_name().to_owned();
    context.state.apply(Change::BlobGone {
        account: call.target.account.clone(),
        container: call.target.name.clone(),
        name,
    });
    Ok(ServiceResponse::new(StatusCode::ACCEPTED).header("x-ms-delete-type-permanent", "true"))
}

/// Reads respond `304` where the caller's copy is current, `412` where it is not the wanted one.
fn check_read(context: &Context<'_>, blob: &Blob) -> Result<(), ServiceError> {
    Conditions::of(context.call)?.check(Some(blob)).map_err(|unmet| match unmet {
        Unmet::Unchanged => ServiceError::new(StatusCode::NOT_MODIFIED, "ConditionNotMet", "")
            .header("etag", blob.etag.clone())
            .header("last-modified", http_date(blob.modified.0)),
        Unmet::Exists => ServiceError::bad_request(
            "UnsupportedHeader",
            "One of the headers specified in the request is not supported: If-None-Match: * on a read.",
        ),
        Unmet::Changed => ServiceError::condition_not_met(),
    })
}

fn describe(mut response: ServiceResponse, blob: &Blob) -> ServiceResponse {
    for (name, value) in &blob.properties {
        response = response.header(name, value);
    }
    response
        .metadata(&blob.metadata)
        .header("content-type", &blob.content_type)
        .header("etag", &blob.etag)
        .header("last-modified", &http_date(blob.modified.0))
        .header("x-ms-creation-time", &http_date(blob.created.0))
        .header("accept-ranges", "bytes")
        .header("x-ms-blob-type", "BlockBlob")
        .header("x-ms-lease-status", "unlocked")
        .header("x-ms-lease-state", "available")
        .header("x-ms-access-tier", "Hot")
        .header("x-ms-access-tier-inferred", "true")
        .header("x-ms-server-encrypted", "true")
}
