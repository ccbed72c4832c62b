//! Create, look at and delete a container.

use http::StatusCode;

use super::Context;
use crate::dates::http_date;
use crate::names;
use crate::response::{ServiceError, ServiceResponse};
use crate::state::blob::ContainerInfo;
use crate::state::{Change, Moment};

pub(super) fn create(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let Context { call, state, ids, now, .. } = context;
    let now = *now;
    names::check(&call.target.name)?;
    let metadata = call.metadata()?;
    let account = state.account(&call.target.account);
    if account.containers_going.get(&call.target.name).is_some_and(|until| now < *until) {
        return Err(ServiceError::conflict(
            "ContainerBeingDeleted",
            "The specified container is being deleted. Try operation later.",
        ));
    }
    if account.containers.contains_key(&call.target.name) {
        return Err(ServiceError::conflict(
            "ContainerAlreadyExists",
            "The specified container already exists.",
        ));
    }
    let info = ContainerInfo { etag: ids.etag(), modified: Moment(now), metadata };
    let response = describe(ServiceResponse::new(StatusCode::CREATED), &info);
    state.apply(Change::Container {
        account: call.target.account.clone(),
        name: call.target.name.clone(),
        container: info,
    });
    Ok(response)
}

pub(super) fn properties(context: &Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let mut response = ServiceResponse::new(StatusCode::OK);
    if let Some(info) = &context.container()?.info {
        response = describe(response, info).metadata(&info.metadata);
    }
    Ok(response
        .header("x-ms-lease-status", "unlocked")
        .header("x-ms-lease-state", "available")
        .header("x-ms-has-immutability-policy", "false")
        .header("x-ms-has-legal-hold", "false"))
}

pub(super) fn delete(context: &mut Context<'_>) -> Result<ServiceResponse, ServiceError> {
    context.container()?;
    let Context { call, state, now, deletion_delay, .. } = context;
    state.apply(Change::ContainerGone {
        account: call.target.account.clone(),
        name: call.target.name.clone(),
        until: Moment(now.saturating_add(*deletion_delay)),
    });
    Ok(ServiceResponse::new(StatusCode::ACCEPTED))
}

fn describe(response: ServiceResponse, info: &ContainerInfo) -> ServiceResponse {
    response.header("etag", &info.etag).header("last-modified", &http_date(info.modified.0))
}
