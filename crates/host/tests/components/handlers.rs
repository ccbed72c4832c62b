//! Task handlers joined with their adapter by the host, and a component of WASI 0.2.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use host::{App, Blueprint, Captured, Limits, Options, Outbound, OutboundError, Outgoing};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::harness::{json, problem, runtime};

/// An application of handlers, by the entries of its components.
fn load(components: &str) -> Result<Blueprint, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = format!("spin_manifest_version = 2\n[application]\nname = \"handlers\"\n{components}");
    let text = text.replace("WASM", &root.join("target/wasm32-wasip2/release").to_string_lossy());
    let manifest = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(manifest.path(), text).unwrap();
    Blueprint::load(runtime(), manifest.path(), &[]).map_err(|error| error.to_string())
}

fn start(blueprint: &Blueprint) -> App {
    let outbound =
        Outbound::in_process(async |outgoing: Outgoing| -> Result<Response<Bytes>, OutboundError> {
            let path = outgoing.request.uri().path().to_owned();
            let body = if path == "/file" { Bytes::from(vec![b'a'; 3_000_000]) } else { Bytes::new() };
            let status = if path == "/file" { 200 } else { 404 };
            Ok(Response::builder().status(status).header("content-length", body.len()).body(body).unwrap())
        });
    let log = Arc::new(Captured::default());
    blueprint.start(Options { outbound, log, ..Options::default() }).unwrap()
}

const CHECKSUM: &str = r#"
[[trigger.http]]
route = "/"
component = "checksum"
[component.checksum]
source = "WASM/handler_adapter_progress.wasm"
allowed_outbound_hosts = ["http://files.example"]
[component.checksum.dependencies]
"accepted:handler/work-with-progress" = { path = "WASM/rust_typed.wasm", inherit_configuration = ["allowed_outbound_hosts"] }
"#;

async fn checksum(input: Value) -> Response<Bytes> {
    static BLUEPRINT: LazyLock<Blueprint> =
        LazyLock::new(|| load(CHECKSUM).unwrap_or_else(|error| panic!("{error}")));
    let task = json!({"id": "a", "name": "checksum", "attempt": 1, "input": input});
    let request = Request::post("http://a/").body(task.to_string().into()).unwrap();
    start(&BLUEPRINT).call(request).await.unwrap()
}

#[tokio::test]
async fn typed_handler_streams_its_progress_and_then_its_result() {
    let response = checksum(json!({"url": "http://files.example/file"})).await;
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = response
        .body()
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let (last, progress) = lines.split_last().unwrap();
    let percents: Vec<u64> = progress.iter().map(|line| line["percentComplete"].as_u64().unwrap()).collect();
    assert!(percents.len() > 10 && percents.is_sorted() && percents.last() == Some(&100), "{percents:?}");
    // The SHA-256 of 3,000,000 times "a".
    let sha256 = "2a152c894398719c0570f83fac34ac03a0f6e8e474b995c2403aa5434f7b9dd4";
    assert_eq!(last["result"], json!({"sha256": sha256, "bytes": 3_000_000}));
}

/// Serves a file of so many megabytes, one after each pause. It fails if the client closes the connection before the end.
async fn serve(listener: TcpListener, megabytes: usize, pause: Duration) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", megabytes * 1_000_000);
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..megabytes {
        stream.write_all(&[b'a'; 1_000_000]).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// The handler with the host of a server on this machine, the address of a file there, and the server's socket.
async fn with_file_server(limits: Limits) -> (App, Value, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let blueprint = load(&CHECKSUM.replace("http://files.example", &format!("http://{address}"))).unwrap();
    let options = Options { log: Arc::new(Captured::default()), limits, ..Options::default() };
    let input = json!({"url": format!("http://{address}/")});
    (
        blueprint.start(options).unwrap(),
        json!({"id": "a", "name": "checksum", "attempt": 1, "input": input}),
        listener,
    )
}

#[tokio::test]
async fn typed_handler_hashes_100_mb_in_a_memory_of_16_mib() {
    let limits = Limits { max_instance_memory: Some(16 * 1024 * 1024), ..Limits::default() };
    let (app, task, listener) = with_file_server(limits).await;
    let served = tokio::spawn(serve(listener, 100, Duration::ZERO));
    let response = app.call(Request::post("http://a/").body(task.to_string().into()).unwrap()).await.unwrap();
    served.await.unwrap().unwrap();
    let last: Value = response
        .body()
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .next_back()
        .unwrap();
    // The SHA-256 of 100,000,000 times "a".
    let sha256 = "83d30385a4a11980275dc23de3fb49ff37b906cc841efa048a96c62d90ff3b5f";
    assert_eq!(last["result"], json!({"sha256": sha256, "bytes": 100_000_000}), "{last}");
}

#[tokio::test]
async fn cancelled_typed_handler_stops_at_its_next_report() {
    let (app, task, listener) = with_file_server(Limits::default()).await;
    let closed = tokio::spawn(serve(listener, 1000, Duration::from_millis(20)));
    let request = Request::post("http://a/").body(Full::new(Bytes::from(task.to_string()))).unwrap();
    let mut body = app.try_handle(request).await.unwrap().into_body();
    // Its first progress, 1 %.
    let line = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(line.starts_with(b"{"), "{line:?}");
    drop(body);
    // The worker has closed the connection: the handler ends, and with it its own request. It would take 20 s.
    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .expect("the handler goes on")
        .unwrap()
        .unwrap_err();
}

#[tokio::test]
async fn failure_of_a_typed_handler_is_a_problem_with_its_code() {
    let failed = problem(&checksum(json!("http://files.example/file")).await, 422);
    assert_eq!(failed["code"], "invalid-input");
    let again = problem(&checksum(json!({"url": "http://files.example/absent"})).await, 503);
    assert_eq!(again["code"], "unexpected-status");
    let denied = problem(&checksum(json!({"url": "http://other.example/file"})).await, 503);
    assert_eq!(denied["code"], "unreachable");
}

#[tokio::test]
async fn adapter_says_that_it_is_there_and_refuses_what_is_no_task() {
    let app = start(&load(CHECKSUM).unwrap());
    let options = Request::options("http://a/").body(Bytes::new()).unwrap();
    assert_eq!(app.call(options).await.unwrap().status(), 204);
    let empty = Request::post("http://a/").body(Bytes::new()).unwrap();
    assert_eq!(problem(&app.call(empty).await.unwrap(), 400)["code"], "invalid-task");
}

#[test]
fn dependency_that_does_not_fit_is_refused_at_start() {
    let from = "\"accepted:handler/work-with-progress\" =";
    for (text, words) in [
        (CHECKSUM.replace(", inherit_configuration = [\"allowed_outbound_hosts\"]", ""), "does not inherit"),
        (CHECKSUM.replace("rust_typed", "rust_http"), "does not export \"accepted:handler/work-with-progress@0.1.0\""),
        (CHECKSUM.replace(from, "\"accepted:other\" ="), "matches no import"),
        (CHECKSUM.replace("rust_typed", "absent"), "absent.wasm is missing"),
        (
            CHECKSUM.replace(from, "\"accepted:handler/work-with-progress@0.1.0\" = { path = \"WASM/rust_typed.wasm\", inherit_configuration = true }\n\"accepted:handler/work-with-progress\" ="),
            "both match the import",
        ),
        (CHECKSUM.split("[component.checksum.dep").next().unwrap().to_owned(), "work-with-progress"),
    ] {
        let refusal = load(&text).err().unwrap_or_default();
        assert!(refusal.contains(words), "{words}: {refusal}");
    }
}

#[tokio::test]
async fn handler_that_speaks_http_needs_no_adapter() {
    let words = "[[trigger.http]]\nroute = \"/\"\ncomponent = \"words\"\n[component.words]\nsource = \"WASM/rust_http.wasm\"";
    let app = start(&load(words).unwrap());
    let ask = |body: &'static str| app.call(Request::post("http://a/").body(Bytes::from(body)).unwrap());
    assert_eq!(json(&ask(r#"{"input":"A b a"}"#).await.unwrap()), json!({"a": 2, "b": 1}));
    problem(&ask(r#"{"input":7}"#).await.unwrap(), 422);
}

#[tokio::test]
async fn component_of_wasi_0_2_has_an_instance_for_each_request() {
    let text = "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"old\"\n[component.old]\nsource = \"WASM/wasi02.wasm\"";
    let blueprint = load(text).unwrap();
    let limits = Limits { max_instance_reuse_count: 100, ..Limits::default() };
    let app = blueprint.start(Options { limits, ..Options::default() }).unwrap();
    for _ in 0..3 {
        let request = Request::get("http://a/x?y=1").body(Bytes::new()).unwrap();
        assert_eq!(app.call(request).await.unwrap().body(), "1 /x?y=1");
    }
    assert_eq!(app.instances("old").1, 3);
}
