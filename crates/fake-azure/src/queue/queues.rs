//! Create, describe, list and delete queues.

use http::StatusCode;

use super::Context;
use crate::names;
use crate::response::{ServiceError, ServiceResponse};
use crate::state::queue::QueueInfo;
use crate::state::{Change, Moment};
use crate::xml::escape;

/// Most queues of one page.
const MAX_RESULTS: i64 = 5000;

pub(super) fn create(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let Context { call, state, now, .. } = context;
    let now = *now;
    names::check(&call.target.name)?;
    let metadata = call.metadata()?;
    let account = state.account(&call.target.account);
    if account.queues_going.get(&call.target.name).is_some_and(|until| now < *until) {
        return Err(ServiceError::conflict("QueueBeingDeleted", "The specified queue is being deleted."));
    }
    if let Some(queue) = account.queues.get(&call.target.name) {
        if queue.info.metadata == metadata {
            return Ok(ServiceResponse::new(StatusCode::NO_CONTENT));
        }
        return Err(ServiceError::conflict("QueueAlreadyExists", "The specified queue already exists."));
    }
    state.apply(Change::Queue {
        account: call.target.account.clone(),
        name: call.target.name.clone(),
        info: QueueInfo { metadata },
    });
    Ok(ServiceResponse::new(StatusCode::CREATED))
}

pub(super) fn metadata(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let queue = context.queue()?;
    Ok(ServiceResponse::new(StatusCode::OK)
        .header("x-ms-approximate-messages-count", &queue.len().to_string())
        .metadata(&queue.info.metadata))
}

pub(super) fn set_metadata(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    context.queue()?;
    let info = QueueInfo { metadata: context.call.metadata()? };
    let (account, name) = (context.call.target.account.clone(), context.call.target.name.clone());
    context.state.apply(Change::Queue { account, name, info });
    Ok(ServiceResponse::new(StatusCode::NO_CONTENT))
}

pub(super) fn delete(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    context.queue()?;
    let (account, name) = (context.call.target.account.clone(), context.call.target.name.clone());
    let until = Moment(context.now.saturating_add(context.deletion_delay));
    context.state.apply(Change::QueueGone { account, name, until });
    Ok(ServiceResponse::new(StatusCode::NO_CONTENT))
}

/// List Queues. The marker is the name of the first queue of the next page.
pub(super) fn list(context: &Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let call = context.call;
    let prefix = call.param("prefix").unwrap_or("");
    let marker = call.param("marker").unwrap_or("");
    let limit = call.number("maxresults", 1, i64::MAX)?.unwrap_or(MAX_RESULTS).min(MAX_RESULTS);
    let queues = context.state.view(&call.target.account).map(|account| &account.queues);
    let mut names = queues
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with(prefix) && *name >= marker);
    let mut text = format!(
        "<EnumerationResults ServiceEndpoint=\"{}\"><Prefix>{}</Prefix><Marker>{}</Marker><MaxResults>{limit}\
         </MaxResults><Queues>",
        escape(&call.endpoint),
        escape(prefix),
        escape(marker)
    );
    for name in names.by_ref().take(usize::try_from(limit).unwrap_or(1)) {
        text.push_str(&format!("<Queue><Name>{}</Name></Queue>", escape(name)));
    }
    text.push_str(&format!(
        "</Queues><NextMarker>{}</NextMarker></EnumerationResults>",
        names.next().unwrap_or("")
    ));
    Ok(ServiceResponse::xml(StatusCode::OK, &text))
}
