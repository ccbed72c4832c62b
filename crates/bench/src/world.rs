//! A running application in virtual time, with storage that answers in process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use fake_azure::{Config, EMULATOR_ACCOUNT, FakeAzure, Identity};
use futures::future::join_all;
use host::log::Source;
use host::{
    App, Blueprint, Clock as _, CompileCache, Limits, LogSink, Options, Outbound, OutboundError, Outgoing,
    Providers, Runtime, VirtualClock,
};
use http::{Request, Response};
use serde_json::Value;
use time::OffsetDateTime;

use crate::cpu::{self, Apart};

/// 2026-08-25T12:00:00Z.
const START: Duration = Duration::from_secs(1_787_659_200);
const DRAIN_TOKEN: &str = "drain-token-of-the-benchmark";
const IDENTITY_HEADER: &str = "identity-header-of-the-benchmark";

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where everything is kept that is compiled only to be measured.
pub(crate) fn scratch() -> PathBuf {
    root().join("target/bench")
}

/// The compiled components of a manifest.
pub(crate) fn blueprint(manifest: &Path) -> Result<Blueprint> {
    let runtime = Runtime::new(&CompileCache::Folder(absolute(&scratch())?.join("compiled")))?;
    Ok(Blueprint::load(&runtime, manifest, &[])?)
}

/// A folder's whole path; it is made when it is missing.
pub(crate) fn absolute(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))
}

/// How the components reach storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A connection string with the account's key: every request is signed.
    SharedKey,
    /// A managed identity: a token, and signatures of addresses from a user delegation key.
    Keyless,
}

/// An application and its storage.
pub(crate) struct World {
    app: App,
    emulator: Apart,
}

/// The components' lines are built, as in production, and go nowhere; the reason of a failure is shown.
struct Failures;

impl LogSink for Failures {
    fn line(&self, component: &str, source: Source, line: &str) {
        if source == Source::Host || !line.starts_with('{') {
            eprintln!("{component}: {line}");
        }
    }
}

impl World {
    /// Starts the application. Each request to storage takes `latency` in virtual time.
    pub(crate) fn start(blueprint: &Blueprint, credential: Credential, latency: Duration) -> Result<Self> {
        let clock = Arc::new(VirtualClock::starting_at(START));
        let fake = FakeAzure::new(Config {
            identities: vec![Identity::system_assigned("11111111-0000-4000-8000-000000000001")],
            identity_header: IDENTITY_HEADER.to_owned(),
            ..Config::default()
        })
        .context("the emulator does not start")?;
        let fake = Arc::new(Mutex::new(fake));
        let emulator = Apart::default();
        let (answering_clock, apart) = (Arc::clone(&clock), emulator.clone());
        let answer = move |outgoing: Outgoing| {
            let (fake, clock, apart) = (Arc::clone(&fake), Arc::clone(&answering_clock), apart.clone());
            async move {
                if !latency.is_zero() {
                    tokio::time::sleep(latency).await;
                }
                let now = OffsetDateTime::UNIX_EPOCH + clock.unix_time();
                let mut fake = fake.lock().unwrap_or_else(PoisonError::into_inner);
                Ok::<_, OutboundError>(apart.run(|| fake.handle(outgoing.request, now)))
            }
        };
        let app = blueprint.start(Options {
            providers: Providers::only(variables(credential)),
            outbound: Outbound::in_process(answer),
            clock,
            seed: Some(1),
            log: Arc::new(Failures),
            // What an instance costs is measured by itself; elsewhere it must not end in the middle.
            limits: Limits {
                max_instance_reuse_count: usize::MAX,
                idle_instance_timeout: Duration::from_secs(3600),
                ..Limits::default()
            },
            environment: BTreeMap::new(),
        })?;
        Ok(Self { app, emulator })
    }

    /// CPU time of `work`, in microseconds, without the emulator's.
    pub(crate) async fn cost<T>(&self, work: impl Future<Output = Result<T>>) -> Result<f64> {
        let before = cpu::used().saturating_sub(self.emulator.total());
        work.await?;
        let after = cpu::used().saturating_sub(self.emulator.total());
        Ok(after.saturating_sub(before).as_secs_f64() * 1e6)
    }

    /// Sends a request whose answer must have this status.
    pub(crate) async fn call(&self, request: Request<Bytes>, expected: u16) -> Result<Response<Bytes>> {
        let what = format!("{} {}", request.method(), request.uri());
        let response = self.app.call(request).await.with_context(|| what.clone())?;
        let (status, body) = (response.status(), String::from_utf8_lossy(response.body()));
        ensure!(status == expected, "{what} was answered {status}: {body}");
        Ok(response)
    }

    /// Drops the API's instance and waits for its end: until then it would be given the next request.
    pub(crate) async fn renew_api(&self) {
        self.app.drop_instances("api");
        while self.app.instances("api").0 > 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn healthz(&self) -> Result<()> {
        self.call(request("GET", "/healthz", Bytes::new())?, 200).await.map(drop)
    }

    /// Submits a task; its id.
    pub(crate) async fn submit(&self, body: &Bytes) -> Result<String> {
        let response = self.call(request("POST", "/tasks", body.clone())?, 202).await?;
        let accepted: Value = serde_json::from_slice(response.body())?;
        let id = accepted.get("id").and_then(Value::as_str).context("a 202 names its task")?;
        Ok(id.to_owned())
    }

    /// Submits `count` tasks at the same time.
    pub(crate) async fn submit_at_once(&self, body: &Bytes, count: usize) -> Result<()> {
        join_all((0..count).map(|_| self.submit(body)))
            .await
            .into_iter()
            .collect::<Result<Vec<_>>>()
            .map(drop)
    }

    /// Drains the queue, which must complete `expected` tasks.
    pub(crate) async fn drain(&self, expected: u64) -> Result<()> {
        let mut drain = request("POST", "/drain", Bytes::new())?;
        drain.headers_mut().insert("authorization", format!("Bearer {DRAIN_TOKEN}").parse()?);
        let response = self.call(drain, 200).await?;
        let counts: Value = serde_json::from_slice(response.body())?;
        let completed = counts.get("completed").and_then(Value::as_u64);
        ensure!(completed == Some(expected), "the drain should complete {expected}: {counts}");
        Ok(())
    }
}

/// A request to the application.
pub(crate) fn request(method: &str, path: &str, body: Bytes) -> Result<Request<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", "example.test");
    if !body.is_empty() {
        request = request.header("content-type", "application/json").header("content-length", body.len());
    }
    Ok(request.body(body)?)
}

fn variables(credential: Credential) -> BTreeMap<String, String> {
    let storage: &[(&str, &str)] = match credential {
        Credential::SharedKey => &[("storage_connection_string", "UseDevelopmentStorage=true")],
        Credential::Keyless => &[
            ("storage_account_name", EMULATOR_ACCOUNT),
            ("blob_endpoint", "http://127.0.0.1:10000/devstoreaccount1"),
            ("queue_endpoint", "http://127.0.0.1:10001/devstoreaccount1"),
            ("identity_endpoint", "http://127.0.0.1:42356/msi/token"),
            ("identity_header", IDENTITY_HEADER),
            ("identity_host", "http://127.0.0.1:42356"),
        ],
    };
    let common = [("drain_token", DRAIN_TOKEN), ("simulate_unit_ms", "1")];
    let given = storage.iter().copied().chain(common);
    given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
