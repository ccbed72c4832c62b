//! The worker component: one bounded drain of the task queue per request. Everything it does is in the crate `worker`.

use std::cell::OnceCell;
use std::rc::Rc;

use guest::{ErrorCode, Guest, Request, Response, WasiEnv};
use service::log::Level;
use service::settings::{Role, WorkerSettings};
use worker::Worker;

thread_local! {
    static WORKER: OnceCell<Rc<Worker>> = const { OnceCell::new() };
}

struct Component;

guest::export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let worker = guest::shared(&WORKER, Role::Worker, |variables| {
            let settings =
                variables.and_then(|values| WorkerSettings::from_variables(&|name| values.get(name)));
            let level = settings.as_ref().map_or(Level::Info, |settings| settings.log_level);
            Worker::new(Rc::new(WasiEnv::new(level)), settings)
        })
        .await;
        guest::respond(request, async |request| worker.handle(request).await).await
    }
}
