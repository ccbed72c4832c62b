use std::cell::OnceCell;
use std::rc::Rc;

use service::api::{Api, Assets};
use service::settings::{ApiSettings, Role, WorkerSettings};
use service::worker::Worker;
use spin_sdk::http::Request;
use spin_sdk::wasip3::http::types::{ErrorCode, Response};

use crate::{WasiEnv, inbound, variables};

thread_local! {
    // Lives as long as the instance, which has one thread. Holds the configuration and, inside, the
    // cached tokens and secrets.
    static API: OnceCell<Rc<Api>> = const { OnceCell::new() };
    static WORKER: OnceCell<Rc<Worker>> = const { OnceCell::new() };
}

/// Answers one request to the API component.
///
/// # Errors
/// Only when the host refuses the answer's headers, which means a mistake in this program.
pub async fn api(request: Request, assets: impl FnOnce() -> Assets) -> Result<Response, ErrorCode> {
    let api = match API.with(|cell| cell.get().cloned()) {
        Some(api) => api,
        None => match variables::read(Role::Api).await {
            Ok(values) => {
                let settings = ApiSettings::from_variables(&|name| values.get(name).cloned());
                // Several cold requests may get here; the first one counts.
                API.with(|cell| {
                    Rc::clone(cell.get_or_init(|| Api::new(Rc::new(WasiEnv), settings, assets())))
                })
            }
            // Not kept: the provider may answer the next request.
            Err(error) => Api::new(Rc::new(WasiEnv), Err(error), assets()),
        },
    };
    let is_head = request.method() == http::Method::HEAD;
    inbound::respond(api.handle(inbound::request(request)).await, is_head)
}

/// Answers one request to the worker component.
///
/// # Errors
/// Only when the host refuses the answer's headers, which means a mistake in this program.
pub async fn worker(request: Request) -> Result<Response, ErrorCode> {
    let worker = match WORKER.with(|cell| cell.get().cloned()) {
        Some(worker) => worker,
        None => match variables::read(Role::Worker).await {
            Ok(values) => {
                let settings = WorkerSettings::from_variables(&|name| values.get(name).cloned());
                WORKER.with(|cell| Rc::clone(cell.get_or_init(|| Worker::new(Rc::new(WasiEnv), settings))))
            }
            Err(error) => Worker::new(Rc::new(WasiEnv), Err(error)),
        },
    };
    let is_head = request.method() == http::Method::HEAD;
    inbound::respond(worker.handle(inbound::request(request)).await, is_head)
}
