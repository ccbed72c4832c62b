//! Put Block and Put Block List: a blob that is uploaded in parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::Context;
use super::object::{self, MAX_BLOB};
use crate::response::{ServiceError, ServiceResponse};
use crate::state::Change;
use crate::state::blob::{Blob, Block};
use crate::xml;

/// Longest id of a block, decoded, in bytes.
const MAX_ID_BYTES: usize = 64;
/// Blocks of a blob.
const MAX_BLOCKS: usize = 50_000;

pub(super) fn put(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    call.check_length()?;
    let id = call.param("blockid").unwrap_or_default().to_owned();
    let is_valid = STANDARD.decode(&id).is_ok_and(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES);
    if !is_valid {
        return Err(ServiceError::bad_request(
            "InvalidQueryParameterValue",
            "Value for one of the query parameters specified in the request URI is invalid: blockid.",
        ));
    }
    if call.body.is_empty() {
        return Err(ServiceError::invalid_header("content-length", "0"));
    }
    let name = context.blob_name().to_owned();
    let container = context.container()?;
    let uncommitted = container.uncommitted.keys().filter(|(of, _)| *of == name);
    let committed = container.blobs.get(&name).into_iter().flat_map(|blob| &blob.blocks).map(|(id, _)| id);
    if uncommitted.map(|(_, id)| id).chain(committed).any(|other| other.len() != id.len()) {
        return Err(ServiceError::bad_request(
            "InvalidBlobOrBlock",
            "The specified blob or block content is invalid: all ids of a blob have one length.",
        ));
    }
    context.state.apply(Change::Block {
        account: call.target.account.clone(),
        container: call.target.name.clone(),
        name,
        block: Block { id, content: call.body.clone() },
    });
    Ok(ServiceResponse::new(StatusCode::CREATED).header("x-ms-request-server-encrypted", "true"))
}

pub(super) fn commit(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    call.check_length()?;
    let list = xml::block_list(&call.body).ok_or_else(|| {
        ServiceError::bad_request("InvalidXmlDocument", "The specified XML is not syntactically valid.")
    })?;
    if list.len() > MAX_BLOCKS {
        return Err(ServiceError::conflict(
            "BlockListTooLong",
            "The block list has more than 50,000 blocks.",
        ));
    }
    let name = context.blob_name().to_owned();
    let container = context.container()?;
    let stored = container.blobs.get(&name);
    let (mut content, mut blocks) = (BytesMut::new(), Vec::new());
    for (place, id) in list {
        let new = container.uncommitted.get(&(name.clone(), id.clone())).cloned();
        let old = || stored.and_then(|blob| committed(blob, &id));
        let block = match place.as_str() {
            "Uncommitted" => new,
            "Committed" => old(),
            _ => new.or_else(old),
        };
        let block = block.ok_or_else(|| {
            ServiceError::bad_request("InvalidBlockList", "The specified block list is invalid.")
        })?;
        if content.len() + block.len() > MAX_BLOB {
            return Err(ServiceError::body_too_large(MAX_BLOB));
        }
        content.extend_from_slice(&block);
        blocks.push((id, block.len()));
    }
    object::write(context, name, content.freeze(), blocks)
}

/// The content of a block of the blob.
fn committed(blob: &Blob, id: &str) -> Option<Bytes> {
    let mut start = 0;
    for (name, length) in &blob.blocks {
        if name == id {
            return Some(blob.content.slice(start..start + length));
        }
        start += length;
    }
    None
}
