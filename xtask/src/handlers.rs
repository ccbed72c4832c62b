//! Task handlers: the examples in `handlers/`, and new ones.

pub mod build;
pub(crate) mod examples;
mod fresh;
pub(crate) mod manifest;
pub mod scaffold;
