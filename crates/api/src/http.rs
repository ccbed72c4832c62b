//! Reading the head of a request: pure functions, without storage.

pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod headers;
pub(crate) mod media_type;
pub(crate) mod precondition;
pub(crate) mod query;
pub(crate) mod range;
pub(crate) mod request;
pub(crate) mod route;
