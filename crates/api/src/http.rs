//! What a request says: pure functions of its head.

pub(crate) mod auth;
pub(crate) mod call;
pub(crate) mod headers;
pub(crate) mod negotiation;
pub(crate) mod precondition;
pub(crate) mod query;
pub(crate) mod range;
pub(crate) mod route;
