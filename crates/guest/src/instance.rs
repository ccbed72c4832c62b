use std::cell::OnceCell;
use std::rc::Rc;

use service::api::{Api, Assets};
use service::settings::{ApiSettings, Role, SettingsError, StorageSettings, WorkerSettings};
use service::store::{self, BlobStore, StorageQueues};
use service::worker::Worker;
use spin_sdk::http::Request;
use spin_sdk::wasip3::http::types::{ErrorCode, Response};

use crate::{WasiEnv, inbound, variables};

type Store = BlobStore<WasiEnv>;
type Queues = StorageQueues<WasiEnv>;

thread_local! {
    // Lives as long as the instance, which has one thread. Holds the configuration and, inside, the
    // cached tokens and secrets.
    static API: OnceCell<Rc<Api<WasiEnv, Store, Queues>>> = const { OnceCell::new() };
    static WORKER: OnceCell<Rc<Worker<WasiEnv, Store, Queues>>> = const { OnceCell::new() };
}

/// Answers one request to the API component.
///
/// # Errors
/// Only when the host refuses the answer's headers, which means a mistake in this program.
pub async fn api(request: Request, assets: impl FnOnce() -> Assets) -> Result<Response, ErrorCode> {
    let env = Rc::new(WasiEnv);
    let api = match API.with(|cell| cell.get().cloned()) {
        Some(api) => api,
        None => match variables::read(Role::Api).await {
            Ok(values) => {
                let settings = ApiSettings::from_variables(&|name| values.get(name).cloned());
                let opened = open(&env, settings, |settings| &settings.storage);
                // Several cold requests may get here; the first one counts.
                API.with(|cell| Rc::clone(cell.get_or_init(|| Api::over(env, opened, assets()))))
            }
            // Not kept: the provider may answer the next request.
            Err(error) => Api::over(env, Err(error), assets()),
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
    let env = Rc::new(WasiEnv);
    let worker = match WORKER.with(|cell| cell.get().cloned()) {
        Some(worker) => worker,
        None => match variables::read(Role::Worker).await {
            Ok(values) => {
                let settings = WorkerSettings::from_variables(&|name| values.get(name).cloned());
                let opened = open(&env, settings, |settings| &settings.storage);
                WORKER.with(|cell| Rc::clone(cell.get_or_init(|| Worker::over(env, opened))))
            }
            Err(error) => Worker::over(env, Err(error)),
        },
    };
    let is_head = request.method() == http::Method::HEAD;
    inbound::respond(worker.handle(inbound::request(request)).await, is_head)
}

fn open<T>(
    env: &Rc<WasiEnv>,
    settings: Result<T, SettingsError>,
    storage: impl FnOnce(&T) -> &StorageSettings,
) -> Result<(T, Store, Queues), SettingsError> {
    settings.map(|settings| {
        let (store, queues) = store::open(Rc::clone(env), storage(&settings));
        (settings, store, queues)
    })
}
