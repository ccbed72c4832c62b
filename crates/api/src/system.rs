//! What is not about tasks.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod pages;
