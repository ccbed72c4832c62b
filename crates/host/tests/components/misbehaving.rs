//! What the host does about handlers that compute or allocate without end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use host::{App, Blueprint, Captured, Failure, Limits, Options, Runtime};
use http::{Request, Response};
use serde_json::json;

use crate::harness::cache;

/// Far more than the handler needs to do its work.
const MAX_MEMORY_BYTES: usize = 16 * 1024 * 1024;
/// After this time the caller of a handler that computes gives up.
const PATIENCE: Duration = Duration::from_millis(300);
/// An instance without callers is ended after one second of computing.
const LIMIT: Duration = Duration::from_secs(20);

fn application() -> App {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/wasm32-wasip2/release/misbehaving_handler.wasm");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"handlers\"\n[[trigger.http]]\nroute = \"/\"\n\
         component = \"bad\"\n[component.bad]\nsource = {source:?}\n"
    );
    let manifest = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(manifest.path(), text).unwrap();
    let runtime = Runtime::interruptible(&cache()).unwrap();
    let limits = Limits {
        max_instance_concurrent_reuse_count: 1,
        max_instance_memory: Some(MAX_MEMORY_BYTES),
        ..Limits::default()
    };
    let blueprint = Blueprint::load(&runtime, manifest.path(), &[]).unwrap();
    blueprint.start(Options { limits, log: Arc::new(Captured::default()), ..Options::default() }).unwrap()
}

async fn run(app: &App, input: &str) -> Result<Response<Bytes>, Failure> {
    let task = json!({"id": "a", "name": "bad", "attempt": 1, "input": input});
    app.call(Request::post("http://a/").body(task.to_string().into()).unwrap()).await
}

#[tokio::test]
async fn loops_share_the_only_thread_and_end_without_callers() {
    let app = application();
    let loops = [(); 3].map(|()| tokio::time::timeout(PATIENCE, run(&app, "loop")));
    let (ended, work) = tokio::join!(futures::future::join_all(loops), run(&app, "work"));
    assert!(ended.iter().all(Result::is_err), "loops do not end by themselves");
    assert_eq!(work.unwrap().status(), 200);
    let started = Instant::now();
    while app.instances("bad").0 > 0 {
        assert!(started.elapsed() < LIMIT, "an instance still computes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn memory_beyond_the_limit_is_told_from_another_trap() {
    let app = application();
    let failure = run(&app, "allocate").await.unwrap_err();
    assert!(matches!(failure, Failure::OutOfMemory(_)), "{failure}");
    let failure = run(&app, "trap").await.unwrap_err();
    assert!(matches!(failure, Failure::Trapped(_)), "{failure}");
    assert_eq!(run(&app, "work").await.unwrap().status(), 200);
}
