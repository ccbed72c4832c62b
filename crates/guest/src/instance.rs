use std::cell::OnceCell;
use std::rc::Rc;
use std::thread::LocalKey;

use service::body::Body;
use service::settings::{Role, SettingsError};
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};

use crate::inbound::{self, Inbound};
use crate::turn;
use crate::variables::{self, Values};

/// The program of an instance, which has one thread. It contains the configuration and the cached tokens and secrets.
pub type Instance<T> = LocalKey<OnceCell<Rc<T>>>;

/// The values of a component's variables.
pub type Variables = Result<Values, SettingsError>;

/// Returns the program of this instance. The first request creates it.
pub async fn shared<T>(
    instance: &'static Instance<T>,
    role: Role,
    open: impl FnOnce(Variables) -> Rc<T>,
) -> Rc<T> {
    let known = || instance.with(|cell| cell.get().cloned());
    if let Some(program) = known() {
        return program;
    }
    let variables = variables::read(role).await;
    // Several requests of a new instance may get here; the program of the first one is kept.
    if let Some(program) = known() {
        return program;
    }
    let is_kept = variables.is_ok();
    let program = open(variables);
    if is_kept {
        instance.with(|cell| cell.get_or_init(|| Rc::clone(&program)).clone())
    } else {
        // Not kept, because the provider of the variables may be available for the next request.
        program
    }
}

/// Handles one request and converts the response.
///
/// # Errors
/// If the host refuses the headers of the response, which is a defect of the program, or its own request is not a valid
/// HTTP request.
pub async fn respond(
    request: Request,
    handle: impl AsyncFnOnce(http::Request<Inbound>) -> http::Response<Body>,
) -> Result<Response, ErrorCode> {
    let request = inbound::request(request)?;
    let is_head = request.method() == http::Method::HEAD;
    inbound::respond(turn::in_turns(handle(request)).await, is_head)
}
