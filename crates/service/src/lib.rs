//! What the API and the worker share: settings, environment, authentication, log lines, receivers and sink of events, bodies,
//! media types and one table of problems.

pub mod auth;
pub mod body;
pub mod callback;
pub mod concurrent;
pub mod env;
pub mod media_type;
pub mod problem;
pub mod response;
pub mod settings;
pub mod sink;
pub mod trace;

pub use env::Env;
pub use lifecycle::handler_limit::is_component;
pub use logging as log;
