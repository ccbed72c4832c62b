//! Create, look at and delete a container.

use http::StatusCode;

use super::Context;
use crate::dates::http_date;
use crate::names;
use crate::reply::{Refusal, Reply};
use crate::state::blob::ContainerInfo;
use crate::state::{Change, Moment};

pub(super) fn create(context: &mut Context<'_>) -> Result<Reply, Refusal> {
    let Context { call, state, ids, now, .. } = context;
    let now = *now;
    names::check(&call.target.name)?;
    let metadata = call.metadata()?;
    let account = state.account(&call.target.account);
    if account.containers_going.get(&call.target.name).is_some_and(|until| now < *until) {
        return Err(Refusal::conflict(
            "ContainerBeingDeleted",
            "The specified container is being deleted. Try operation later.",
        ));
    }
    if account.containers.contains_key(&call.target.name) {
        return Err(Refusal::conflict("ContainerAlreadyExists", "The specified container already exists."));
    }
    let info = ContainerInfo { etag: ids.etag(), modified: Moment(now), metadata };
    let reply = describe(Reply::new(StatusCode::CREATED), &info);
    state.apply(Change::Container {
        account: call.target.account.clone(),
        name: call.target.name.clone(),
        container: info,
    });
    Ok(reply)
}

pub(super) fn properties(context: &Context<'_>) -> Result<Reply, Refusal> {
    let mut reply = Reply::new(StatusCode::OK);
    if let Some(info) = &context.container()?.info {
        reply = describe(reply, info);
        for (name, value) in &info.metadata {
            reply = reply.header(&format!("x-ms-meta-{name}"), value);
        }
    }
    Ok(reply
        .header("x-ms-lease-status", "unlocked")
        .header("x-ms-lease-state", "available")
        .header("x-ms-has-immutability-policy", "false")
        .header("x-ms-has-legal-hold", "false"))
}

pub(super) fn delete(context: &mut Context<'_>) -> Result<Reply, Refusal> {
    context.container()?;
    let Context { call, state, now, deletion_delay, .. } = context;
    state.apply(Change::ContainerGone {
        account: call.target.account.clone(),
        name: call.target.name.clone(),
        until: Moment(now.saturating_add(*deletion_delay)),
    });
    Ok(Reply::new(StatusCode::ACCEPTED))
}

fn describe(reply: Reply, info: &ContainerInfo) -> Reply {
    reply.header("etag", &info.etag).header("last-modified", &http_date(info.modified.0))
}
