//! Results that are larger than the memory of every component they pass through.

use host::{Blueprint, Limits};
use serde_json::json;

use crate::harness::{Setup, header, id_of, json, runtime};

/// The largest memory of an instance, a third of the result.
const MAX_MEMORY_BYTES: usize = 32 * 1024 * 1024;
const RESULT_BYTES: u64 = 100 * 1024 * 1024;

/// The application with the handler of the end-to-end tests.
fn blueprint() -> Blueprint {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let absolute = |path: &str| root.join(path).display().to_string();
    let text = std::fs::read_to_string(root.join("spin.toml")).unwrap();
    let mut text = text
        .replace("source = \"target/", &format!("source = \"{}/", absolute("target")))
        .replace("source = \"web/pages\"", &format!("source = \"{}\"", absolute("web/pages")));
    text += &format!(
        "\n[[trigger.http]]\nroute = {{ private = true }}\ncomponent = \"large\"\n\n[component.large]\nsource = \"{}\"\n",
        absolute("target/wasm32-wasip2/release/misbehaving_handler.wasm")
    );
    let manifest = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(manifest.path(), text).unwrap();
    Blueprint::load(runtime(), manifest.path(), &[]).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(start_paused = true)]
async fn result_of_100_mib_is_stored_by_a_worker_with_32_mib() {
    let rules = json!({"large": {"handler": "large", "max_result_bytes": 1_073_741_824}});
    let mut setup = Setup::with_account_key().set("task_handlers", &rules.to_string());
    setup.limits = Limits { max_instance_memory: Some(MAX_MEMORY_BYTES), ..Limits::default() };
    let world = setup.start_on(&blueprint());
    let id = id_of(&world.submit(&json!({"TaskName": "large", "Input": "large"})).await);
    let counts = world.drain().await;
    assert_eq!(counts["completed"], 1, "{counts} {}", world.printed());
    let monitor = json(&world.get(&format!("/tasks/{id}")).await);
    assert_eq!(monitor["status"], "Succeeded", "{monitor}");
    let result = world.get(&format!("/tasks/{id}/result")).await;
    assert_eq!(header(&result, "content-type"), "application/octet-stream");
    assert_eq!(result.body().len() as u64, RESULT_BYTES);
}
