//! Runs `service` itself, without WebAssembly.

use std::rc::Rc;

use api::{Api, Asset, AssetSource};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use http::{Request, Response};
use service::body::Body;
use service::settings::{ApiSettings, WorkerSettings};
use worker::Worker;

use crate::env::SimEnv;
use crate::fleet::{Input, Instance, Runner};
use crate::record::{InstanceId, Role};
use crate::world::World;

/// The size of the parts of a large result, in bytes: the largest results of the handlers have several.
const PART_BYTES: usize = 60_000;

/// See the module.
pub struct Native;

impl Runner for Native {
    fn start(&self, world: &Rc<World>, role: Role, instance: InstanceId) -> Rc<dyn Instance> {
        let env = Rc::new(SimEnv::new(world, instance));
        let lookup = |name: &str| world.variable(instance, name);
        match role {
            Role::Api => {
                let settings = ApiSettings::from_variables(&lookup);
                Rc::new(NativeApi(Api::new(env, settings, Box::new(NoAssets))))
            }
            _ => {
                let settings = WorkerSettings::from_variables(&lookup)
                    .map(|settings| WorkerSettings { result_part_bytes: PART_BYTES, ..settings });
                Rc::new(NativeWorker(Worker::new(env, settings)))
            }
        }
    }
}

/// The pages are no part of the promises.
struct NoAssets;

impl AssetSource for NoAssets {
    fn get(&self, _: &str) -> Option<Asset> {
        None
    }
}

struct NativeApi(Rc<Api>);

impl Instance for NativeApi {
    fn handle(&self, request: Request<Input>) -> LocalBoxFuture<'static, Response<Bytes>> {
        let api = Rc::clone(&self.0);
        Box::pin(async move { whole(api.handle(request).await).await })
    }
}

struct NativeWorker(Rc<Worker>);

impl Instance for NativeWorker {
    fn handle(&self, request: Request<Input>) -> LocalBoxFuture<'static, Response<Bytes>> {
        let worker = Rc::clone(&self.0);
        Box::pin(async move { whole(worker.handle(request).await).await })
    }
}

async fn whole(response: Response<Body>) -> Response<Bytes> {
    let (parts, body) = response.into_parts();
    let bytes = match body {
        Body::Full(bytes) => bytes,
        Body::Stream(mut stream) => {
            let mut whole = Vec::new();
            while let Some(piece) = stream.next().await {
                whole.extend_from_slice(&piece);
            }
            whole.into()
        }
    };
    Response::from_parts(parts, bytes)
}
