//! List Blobs and List Containers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::ops::Bound;

use super::Context;
use crate::dates::http_date;
use crate::response::{ServiceError, ServiceResponse};
use crate::state::blob::Blob;
use crate::xml::{escape, is_legal};

/// Most entries of one page, and how many there are when the request does not say.
const MAX_RESULTS: i64 = 5000;

/// The entries of a page and where the next one begins.
struct Page<'a, T> {
    items: Vec<(&'a str, T)>,
    next: Option<&'a str>,
}

pub(super) fn blobs(context: &Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    let container = context.container()?;
    let (prefix, delimiter) = (call.param("prefix").unwrap_or(""), call.param("delimiter").unwrap_or(""));
    let with_metadata =
        call.param("include").is_some_and(|include| include.split(',').any(|i| i == "metadata"));
    let limit = max_results(context)?;
    let start = marker(context)?;
    let from = start.as_deref().map_or(Bound::Included(prefix), |start| Bound::Included(start.max(prefix)));
    let mut page: Page<'_, Option<&Blob>> = Page { items: Vec::new(), next: None };
    for (name, blob) in container.blobs.range::<str, _>((from, Bound::Unbounded)) {
        let Some(tail) = name.strip_prefix(prefix) else { break };
        // With a delimiter, names that go on after it are shown once, as what they have in common.
        let group = (!delimiter.is_empty())
            .then(|| tail.find(delimiter))
            .flatten()
            .and_then(|at| name.get(..prefix.len() + at + delimiter.len()));
        if let (Some(group), Some((last, None))) = (group, page.items.last())
            && group == *last
        {
            continue;
        }
        if page.items.len() == limit {
            page.next = Some(name);
            break;
        }
        page.items.push(group.map_or((name.as_str(), Some(blob)), |group| (group, None)));
    }

    let mut text = head(context, Some(&call.target.name), limit);
    text.push_str("<Blobs>");
    for (name, blob) in &page.items {
        match blob {
            Some(blob) => entry(&mut text, name, blob, with_metadata),
            None => text.push_str(&format!("<BlobPrefix>{}</BlobPrefix>", name_element(name))),
        }
    }
    text.push_str("</Blobs>");
    close(&mut text, page.next);
    Ok(ServiceResponse::xml(StatusCode::OK, &text))
}

pub(super) fn containers(context: &Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let prefix = context.call.param("prefix").unwrap_or("");
    let limit = max_results(context)?;
    let start = marker(context)?;
    let containers = context.state.view(&context.call.target.account).map(|account| &account.containers);
    let mut names = containers
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with(prefix) && start.as_deref().is_none_or(|s| name.as_str() >= s));
    let mut text = head(context, None, limit);
    text.push_str("<Containers>");
    for (name, container) in names.by_ref().take(limit) {
        let properties = container.info.as_ref().map_or(String::new(), |info| {
            format!(
                "<Last-Modified>{}</Last-Modified><Etag>{}</Etag>",
                http_date(info.modified.0),
                escape(&info.etag)
            )
        });
        text.push_str(&format!(
            "<Container><Name>{}</Name><Properties>{properties}</Properties></Container>",
            escape(name)
        ));
    }
    text.push_str("</Containers>");
    close(&mut text, names.next().map(|(name, _)| name.as_str()));
    Ok(ServiceResponse::xml(StatusCode::OK, &text))
}

fn entry(text: &mut String, name: &str, blob: &Blob, with_metadata: bool) {
    text.push_str(&format!(
        "<Blob>{}<Properties><Creation-Time>{}</Creation-Time><Last-Modified>{}</Last-Modified><Etag>{}</Etag>\
         <Content-Length>{}</Content-Length><Content-Type>{}</Content-Type><BlobType>BlockBlob</BlobType>\
         <AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>\
         <LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties>",
        name_element(name),
        http_date(blob.created.0),
        http_date(blob.modified.0),
        // Lists show ETags without their quotes.
        blob.etag.trim_matches('"'),
        blob.content.len(),
        escape(&blob.content_type),
    ));
    if with_metadata {
        text.push_str("<Metadata>");
        for (name, value) in &blob.metadata {
            text.push_str(&format!("<{name}>{}</{name}>", escape(value)));
        }
        text.push_str("</Metadata>");
    }
    text.push_str("</Blob>");
}

/// A name that XML cannot carry is percent-encoded and marked.
fn name_element(name: &str) -> String {
    if name.chars().all(is_legal) {
        return format!("<Name>{}</Name>", escape(name));
    }
    format!("<Name Encoded=\"true\">{}</Name>", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

fn head(context: &Context<'_>, container: Option<&str>, limit: usize) -> String {
    let call = context.call;
    let mut text = format!("<EnumerationResults ServiceEndpoint=\"{}\"", escape(&call.endpoint));
    if let Some(container) = container {
        text.push_str(&format!(" ContainerName=\"{}\"", escape(container)));
    }
    text.push('>');
    for (parameter, element) in [("prefix", "Prefix"), ("marker", "Marker"), ("delimiter", "Delimiter")] {
        if let Some(value) = call.param(parameter) {
            text.push_str(&format!("<{element}>{}</{element}>", escape(value)));
        }
    }
    if call.param("maxresults").is_some() {
        text.push_str(&format!("<MaxResults>{limit}</MaxResults>"));
    }
    text
}

fn close(text: &mut String, next: Option<&str>) {
    match next {
        Some(next) => text.push_str(&format!(
            "<NextMarker>2!{}!{}</NextMarker></EnumerationResults>",
            next.len(),
            URL_SAFE_NO_PAD.encode(next)
        )),
        None => text.push_str("<NextMarker /></EnumerationResults>"),
    }
}

fn max_results(context: &Context<'_>) -> Result<usize, ServiceError> {
    // More than the maximum is no error; the page is then as long as it can be.
    let asked = context.call.number("maxresults", 1, i64::MAX)?.unwrap_or(MAX_RESULTS);
    Ok(usize::try_from(asked.min(MAX_RESULTS)).unwrap_or(1))
}

/// The name at which the page begins. Clients must hand markers back as they got them.
fn marker(context: &Context<'_>) -> Result<Option<String>, ServiceError> {
    let Some(marker) = context.call.param("marker").filter(|marker| !marker.is_empty()) else {
        return Ok(None);
    };
    let name = marker
        .strip_prefix("2!")
        .and_then(|rest| rest.split_once('!'))
        .and_then(|(length, name)| {
            let name = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
            (length.parse() == Ok(name.len())).then_some(name)
        })
        .ok_or_else(|| ServiceError::bad_request("InvalidMarker", "The specified marker is invalid."))?;
    Ok(Some(name))
}
