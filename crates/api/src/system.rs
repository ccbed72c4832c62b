//! Routes that do not concern a task: health, metrics, static pages.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod pages;
