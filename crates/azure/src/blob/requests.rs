//! Builds the calls of the Blob service.

use std::ops::Range;

use bytes::Bytes;
use http::Method;

use super::{Condition, GetOptions};
use crate::call::{Call, Service};
use crate::encode;

fn blob_call(operation: &'static str, method: Method, container: &str, name: &str) -> Call {
    let path = ["/", &encode::value(container), "/", &encode::path(name)].concat();
    Call::new(operation, Service::Blob, method, path)
}

fn container_call(operation: &'static str, method: Method, container: &str) -> Call {
    Call::new(operation, Service::Blob, method, ["/", &encode::value(container)].concat())
        .query("restype", "container")
}

fn on_condition(call: Call, condition: Condition<'_>) -> Call {
    match condition {
        Condition::Always => call,
        Condition::IfAbsent => call.header("if-none-match", "*"),
        Condition::IfMatch(etag) => call.header("if-match", etag.to_owned()),
    }
}

pub(super) fn create_container(container: &str) -> Call {
    container_call("Create Container", Method::PUT, container)
}

pub(super) fn put(
    container: &str,
    name: &str,
    bytes: Bytes,
    content_type: &str,
    note: Option<&str>,
    condition: Condition<'_>,
) -> Call {
    let mut call = blob_call("Put Blob", Method::PUT, container, name)
        .header("content-type", content_type.to_owned())
        .header("x-ms-blob-type", "BlockBlob");
    call.body = bytes;
    if let Some(note) = note {
        call = call.header("x-ms-meta-note", note.to_owned());
    }
    on_condition(call, condition)
}

/// The id of a block: base64, and of one length for all blocks of a blob.
fn block_id(number: u32) -> String {
    encode::base64(format!("{number:09}").as_bytes())
}

pub(super) fn put_block(container: &str, name: &str, number: u32, bytes: Bytes) -> Call {
    let mut call = blob_call("Put Block", Method::PUT, container, name)
        .query("blockid", block_id(number))
        .query("comp", "block");
    call.body = bytes;
    call
}

pub(super) fn put_block_list(container: &str, name: &str, count: u32, content_type: &str) -> Call {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for number in 0..count {
        // The latest block of this id: a repeated call finds the blocks of the blob that the first one made.
        xml.extend(["<Latest>", &block_id(number), "</Latest>"]);
    }
    xml.push_str("</BlockList>");
    blob_call("Put Block List", Method::PUT, container, name)
        .query("comp", "blocklist")
        .xml_body(xml)
        .header("x-ms-blob-content-type", content_type.to_owned())
}

pub(super) fn get(container: &str, name: &str, options: &GetOptions<'_>) -> Call {
    let mut call = blob_call("Get Blob", Method::GET, container, name);
    if let Some(range) = &options.range {
        call = call.header("range", header_range(range));
    }
    if let Some(etag) = options.if_none_match {
        call = call.header("if-none-match", etag.to_owned());
    }
    if let Some(etag) = options.if_match {
        call = call.header("if-match", etag.to_owned());
    }
    call
}

fn header_range(range: &Range<u64>) -> String {
    // The service uses signed 64-bit numbers; the end in the header is inclusive.
    match range.end.checked_sub(1).filter(|last| i64::try_from(*last).is_ok()) {
        Some(last) => format!("bytes={}-{}", range.start, last.max(range.start)),
        None => format!("bytes={}-", range.start),
    }
}

pub(super) fn head(container: &str, name: &str) -> Call {
    blob_call("Get Blob Properties", Method::HEAD, container, name)
}

pub(super) fn delete(container: &str, name: &str, condition: Condition<'_>) -> Call {
    on_condition(blob_call("Delete Blob", Method::DELETE, container, name), condition)
}

pub(super) fn list(container: &str, prefix: &str, marker: Option<&str>, max: u32) -> Call {
    let mut call = container_call("List Blobs", Method::GET, container)
        .query("comp", "list")
        .query("include", "metadata")
        .query("maxresults", max.clamp(1, 5000).to_string());
    if !prefix.is_empty() {
        call = call.query("prefix", prefix.to_owned());
    }
    if let Some(marker) = marker {
        call = call.query("marker", marker.to_owned());
    }
    call
}
