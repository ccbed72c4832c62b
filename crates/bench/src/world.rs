//! A running application in virtual time, with storage in process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use fake_azure::FakeAzure;
use futures::future::join_all;
use host::log::Source;
use host::{
    App, Blueprint, Clock as _, CompileCache, Limits, LogSink, Options, Outbound, OutboundError, Outgoing,
    Providers, Runtime, VirtualClock,
};
use http::{Request, Response};
use serde_json::Value;
use test_world::application::{self, START_UNIX, drain_request, request};
use test_world::growth;
use time::OffsetDateTime;

use crate::cpu::{self, Apart};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where everything is kept that is compiled only to be measured.
pub(crate) fn scratch() -> PathBuf {
    root().join("target/bench")
}

/// Runs `cargo build` with these arguments at the root.
pub(crate) fn cargo_build(arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    let status = build.current_dir(root()).arg("build").args(arguments).status();
    ensure!(status.context("cannot start cargo")?.success(), "cargo build {} failed", arguments.join(" "));
    Ok(())
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
    fake: Arc<Mutex<FakeAzure>>,
    clock: Arc<VirtualClock>,
    emulator: Apart,
}

/// The components' lines are built, as in production, and go nowhere; the reason of a failure is shown.
pub(crate) struct Failures;

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
        Self::start_with(blueprint, credential, latency, &[])
    }

    /// As [`Self::start`], with these variables set as well.
    pub(crate) fn start_with(
        blueprint: &Blueprint,
        credential: Credential,
        latency: Duration,
        set: &[(&str, &str)],
    ) -> Result<Self> {
        let clock = Arc::new(VirtualClock::starting_at(START_UNIX));
        let fake = Arc::new(Mutex::new(application::services()));
        let emulator = Apart::default();
        let mut variables = match credential {
            Credential::SharedKey => application::shared_key_variables(),
            Credential::Keyless => application::keyless_variables(),
        };
        variables.insert("simulate_unit_ms".to_owned(), "1".to_owned());
        variables.extend(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (stored, responding_clock, apart) = (Arc::clone(&fake), Arc::clone(&clock), emulator.clone());
        let respond = move |outgoing: Outgoing| {
            let (fake, clock, apart) = (Arc::clone(&stored), Arc::clone(&responding_clock), apart.clone());
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
            providers: Providers::only(variables),
            outbound: Outbound::in_process(respond),
            clock: Arc::clone(&clock) as Arc<dyn host::Clock>,
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
        Ok(Self { app, fake, clock, emulator })
    }

    /// The storage account.
    pub(crate) fn storage(&self) -> &Mutex<FakeAzure> {
        &self.fake
    }

    /// Stores tasks without requests.
    pub(crate) fn fill(&self, ended: u32, waiting: u32) {
        let now = OffsetDateTime::UNIX_EPOCH + self.clock.unix_time();
        growth::fill(&mut self.fake.lock().unwrap_or_else(PoisonError::into_inner), ended, waiting, now);
    }

    /// Requests to storage since the start.
    pub(crate) fn requests(&self) -> u64 {
        self.fake.lock().unwrap_or_else(PoisonError::into_inner).requests().values().sum()
    }

    /// CPU time of `work`, in microseconds, without the emulator's.
    pub(crate) async fn cost<T>(&self, work: impl Future<Output = Result<T>>) -> Result<f64> {
        let before = cpu::used().saturating_sub(self.emulator.total());
        work.await?;
        let after = cpu::used().saturating_sub(self.emulator.total());
        Ok(after.saturating_sub(before).as_secs_f64() * 1e6)
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When the application does not respond.
    #[expect(clippy::panic, reason = "without a response there is nothing to measure")]
    pub(crate) async fn respond(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.app.call(request).await.unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Sends a request whose response must have this status.
    pub(crate) async fn call(&self, request: Request<Bytes>, expected: u16) -> Result<Response<Bytes>> {
        let what = format!("{} {}", request.method(), request.uri());
        let response = self.app.call(request).await.with_context(|| what.clone())?;
        let (status, body) = (response.status(), String::from_utf8_lossy(response.body()));
        ensure!(status == expected, "{what} got {status}: {body}");
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
        self.call(request("GET", "/healthz", Bytes::new()), 200).await.map(drop)
    }

    /// Submits a task; its id.
    pub(crate) async fn submit(&self, body: &Bytes) -> Result<String> {
        let response = self.call(request("POST", "/tasks", body.clone()), 202).await?;
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
        let response = self.call(drain_request(), 200).await?;
        let counts: Value = serde_json::from_slice(response.body())?;
        let completed = counts.get("completed").and_then(Value::as_u64);
        ensure!(completed == Some(expected), "the drain should complete {expected}: {counts}");
        Ok(())
    }
}
