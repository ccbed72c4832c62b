//! The engine of WebAssembly, compiled components, and the cache that keeps them between runs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, Store};
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};
use wasmtime_wasi_http::{p2, p3};

use crate::compose::compose;
use crate::guest::{Guest, add_to_linker};
use crate::host_calls::HostCalls;
use crate::manifest;
use crate::watched::TICK_MILLISECONDS;

/// A compiled component with everything it imports.
#[derive(Clone)]
pub(crate) struct Service {
    engine: Engine,
    is_interruptible: bool,
    // Shared: it has no cheap copy.
    proxy: Arc<ProxyPre<Guest>>,
}

impl Service {
    fn new(
        component: &Component,
        imports: InstancePre<Guest>,
        is_interruptible: bool,
    ) -> wasmtime::Result<Self> {
        let proxy = match p3::bindings::ServicePre::new(imports.clone()) {
            Ok(service) => ProxyPre::P3(service),
            Err(_) if has_export(component, "wasi:http/incoming-handler@0.2.") => {
                ProxyPre::P2(p2::bindings::ProxyPre::new(imports)?)
            }
            Err(error) => return Err(error),
        };
        Ok(Self { engine: component.engine().clone(), is_interruptible, proxy: Arc::new(proxy) })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a component that computes yields at every tick of the engine.
    pub(crate) fn is_interruptible(&self) -> bool {
        self.is_interruptible
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Proxy> {
        self.proxy.instantiate_async(store).await
    }

    /// Whether an instance responds to more than one request. A component of WASI 0.2 gets a new instance for each.
    pub(crate) fn is_reused(&self) -> bool {
        matches!(*self.proxy, ProxyPre::P3(_))
    }
}

fn has_export(component: &Component, prefix: &str) -> bool {
    component.component_type().exports(component.engine()).any(|(name, _)| name.starts_with(prefix))
}

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// There is no such file.
    #[error("{0} is missing: run cargo xtask build")]
    Missing(PathBuf),
    /// The file is no component that this host can run.
    #[error("{path} cannot be used: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// wasmtime does not start on this machine.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
}

/// Where compiled components are kept between runs of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileCache {
    /// Nowhere.
    Off,
    /// In this folder, which is made when needed.
    Folder(PathBuf),
}

impl CompileCache {
    /// The user's cache folder; off when the environment names none.
    #[must_use]
    pub fn of_user() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = variable("XDG_CACHE_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".cache")))
            .or_else(|| variable("LOCALAPPDATA"));
        match base {
            Some(base) if base.is_absolute() => Self::Folder(base.join("accepted-host")),
            _ => Self::Off,
        }
    }

    /// The folder that a wasmtime cache configuration names, as `spin up --cache FILE` takes it.
    ///
    /// # Errors
    /// A sentence, when wasmtime cannot read the file or it names no folder that can be used.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        // wasmtime's own reader, so that what Spin refuses (an unknown key, a relative folder) is refused here.
        let config = CacheConfig::from_file(Some(path)).map_err(|error| format!("--cache: {error:#}"))?;
        let folder = config.directory().cloned();
        folder.map(Self::Folder).ok_or_else(|| format!("--cache: {} names no directory", path.display()))
    }

    /// Waits until no other program with this cache compiles, so that what it compiled is found instead of compiled
    /// again. Without the lock the work is done twice, which is harmless.
    fn lock(&self) -> Option<File> {
        let Self::Folder(folder) = self else { return None };
        let file = File::create(folder.join("turn")).ok()?;
        file.lock().ok()?;
        Some(file)
    }
}

/// The engine of WebAssembly, with everything that components may import.
pub struct Runtime {
    engine: Engine,
    linker: Linker<Guest>,
    cache: CompileCache,
    /// Set when the calls of components are counted.
    calls: Option<HostCalls>,
    is_interruptible: bool,
}

impl Runtime {
    /// Starts an engine.
    ///
    /// # Errors
    /// [`ComponentError::Engine`] when the machine or the cache folder is unusable.
    pub fn new(cache: &CompileCache) -> Result<Self, ComponentError> {
        Self::start(cache, None, false).map_err(|error| ComponentError::Engine(format!("{error:#}")))
    }

    /// Starts an engine whose components yield while they compute, and end when no caller waits for them any more.
    ///
    /// The turns depend on the machine's time, so runs do not repeat exactly; the compiled code is a little slower.
    ///
    /// # Errors
    /// As [`Runtime::new`].
    pub fn interruptible(cache: &CompileCache) -> Result<Self, ComponentError> {
        Self::start(cache, None, true).map_err(|error| ComponentError::Engine(format!("{error:#}")))
    }

    /// Starts an engine that counts the calls of its components to the host, which makes them slower.
    ///
    /// # Errors
    /// As [`Runtime::new`].
    pub fn counting(cache: &CompileCache) -> Result<(Self, HostCalls), ComponentError> {
        let calls = HostCalls::default();
        let runtime = Self::start(cache, Some(calls.clone()), false)
            .map_err(|error| ComponentError::Engine(format!("{error:#}")))?;
        Ok((runtime, calls))
    }

    fn start(
        cache: &CompileCache,
        calls: Option<HostCalls>,
        is_interruptible: bool,
    ) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model_async(true);
        config.epoch_interruption(is_interruptible);
        if let CompileCache::Folder(folder) = cache {
            let mut settings = CacheConfig::new();
            settings.with_directory(folder);
            config.cache(Some(Cache::new(settings)?));
        }
        let engine = Engine::new(&config)?;
        if is_interruptible {
            count_time(&engine)?;
        }
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker)?;
        if let Some(calls) = &calls {
            calls.add_to_linker(&mut linker)?;
        }
        Ok(Self { engine, linker, cache: cache.clone(), calls, is_interruptible })
    }

    /// Compiles a component, joined with its dependencies.
    pub(crate) fn service(&self, declaration: &manifest::Component) -> Result<Service, ComponentError> {
        let path = &declaration.source;
        let dependencies = declaration.dependencies.iter().map(|dependency| &dependency.source);
        if let Some(missing) = std::iter::once(path).chain(dependencies).find(|path| !path.is_file()) {
            return Err(ComponentError::Missing(missing.clone()));
        }
        let unusable = |reason: String| ComponentError::Unusable { path: path.clone(), reason };
        let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let bytes = compose(declaration, read).map_err(unusable)?;
        let compile = || {
            let one_at_a_time = self.cache.lock();
            let component = match &self.calls {
                None => Component::from_binary(&self.engine, &bytes)?,
                Some(calls) => Component::from_binary(&self.engine, &calls.count_in(&bytes)?)?,
            };
            drop(one_at_a_time);
            Service::new(&component, self.linker.instantiate_pre(&component)?, self.is_interruptible)
        };
        compile().map_err(|error: wasmtime::Error| unusable(format!("{error:#}")))
    }
}

/// Increments the epoch of the engine at every tick while it exists. A thread of its own: components may occupy all others.
fn count_time(engine: &Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    let count = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(Duration::from_millis(TICK_MILLISECONDS));
        }
    };
    std::thread::Builder::new().name("epochs".to_owned()).spawn(count)?;
    Ok(())
}
