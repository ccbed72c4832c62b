//! The worker component: one bounded drain of the task queue per request. Everything it does is in the crate `worker`.

use std::cell::OnceCell;
use std::rc::Rc;

use guest::WasiEnv;
use service::settings::{Role, WorkerSettings};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
use worker::Worker;

thread_local! {
    static WORKER: OnceCell<Rc<Worker>> = const { OnceCell::new() };
}

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let worker = guest::shared(&WORKER, Role::Worker, |variables| {
        let settings =
            variables.and_then(|values| WorkerSettings::from_variables(&|name| values.get(name).cloned()));
        Worker::new(Rc::new(WasiEnv), settings)
    })
    .await;
    guest::respond(request, async |request| worker.handle(request).await).await
}
