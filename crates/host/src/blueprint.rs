//! A manifest with its compiled components, and how an application is started from it.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::app::App;
use crate::clock::{Clock, SystemClock};
use crate::component::RunningComponent;
use crate::instance_tracker::InstanceTracker;
use crate::limits::Limits;
use crate::log::{LogSink, Terminal};
use crate::manifest::{Manifest, ManifestError};
use crate::outbound::{Outbound, chained_component};
use crate::runtime::{ComponentError, Runtime, Service};
use crate::variables::{Providers, VariableError, Variables};

/// Why an application does not start.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A component.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// A given variable.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// Anything else that the caller can put right.
    #[error("{0}")]
    Refused(String),
}

/// The surroundings of a running application.
pub struct Options {
    /// Providers of the values of variables.
    pub providers: Providers,
    /// Where outgoing requests go.
    pub outbound: Outbound,
    /// The clocks of the components.
    pub clock: Arc<dyn Clock>,
    /// Makes the random numbers of the components repeatable, also across versions of this crate.
    pub seed: Option<u64>,
    /// Where printed lines go.
    pub log: Arc<dyn LogSink>,
    /// Limits of instances.
    pub limits: Limits,
    /// Added to the environment of every component; wins over the manifest's.
    pub environment: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            providers: Providers::default(),
            outbound: Outbound::default(),
            clock: Arc::new(SystemClock::default()),
            seed: None,
            log: Arc::new(Terminal),
            limits: Limits::default(),
            environment: BTreeMap::new(),
        }
    }
}

/// A manifest with its compiled components, from which many applications can be started.
pub struct Blueprint {
    manifest: Manifest,
    components: BTreeMap<String, Service>,
}

impl Blueprint {
    /// Reads a manifest and compiles its components, or only those named in `only`.
    ///
    /// # Errors
    /// [`LoadError`] with a sentence that says what to change.
    pub fn load(runtime: &Runtime, manifest: &Path, only: &[String]) -> Result<Self, LoadError> {
        let manifest = Manifest::read(manifest)?;
        let chosen = choose(&manifest, only).map_err(LoadError::Refused)?;
        let mut components = BTreeMap::new();
        for (id, component) in &manifest.components {
            if !chosen.contains(id) {
                continue;
            }
            for mount in &component.files {
                if !mount.source.is_dir() {
                    let path = mount.source.display();
                    return Err(LoadError::Refused(format!("component {id:?}: {path} is not a folder")));
                }
            }
            components.insert(id.clone(), runtime.service(component)?);
        }
        Ok(Self { manifest, components })
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Starts an application. Cheap: instances are made when requests come.
    ///
    /// # Errors
    /// [`LoadError::Variable`] when a given variable is not declared, or a required one has no value.
    pub fn start(&self, options: Options) -> Result<App, LoadError> {
        let variables = Arc::new(Variables::new(self.manifest.variables.clone(), options.providers)?);
        variables.check_required()?;
        Ok(App::start(self.manifest.router.clone(), |siblings| {
            let running = |(id, service): (&String, &Service)| {
                let declaration = self.manifest.components.get(id)?.clone();
                let mut environment = declaration.environment.clone();
                environment.extend(options.environment.clone());
                let running = Arc::new(RunningComponent {
                    id: id.as_str().into(),
                    declaration,
                    environment,
                    variables: Arc::clone(&variables),
                    allowed_hosts: OnceLock::new(),
                    outbound: options.outbound.clone(),
                    clock: Arc::clone(&options.clock),
                    seed: options.seed,
                    log: Arc::clone(&options.log),
                    limits: options.limits.clone(),
                    instances: InstanceTracker::new(),
                    siblings: siblings.clone(),
                });
                Some((running, service.clone()))
            };
            self.components.iter().filter_map(running).collect()
        }))
    }
}

/// Which components to run. A subset must hold every component that its members chain to.
fn choose(manifest: &Manifest, only: &[String]) -> Result<HashSet<String>, String> {
    let known: HashSet<String> = manifest.components.keys().cloned().collect();
    if let Some(id) = only.iter().find(|id| !known.contains(*id)) {
        return Err(format!("there is no component {id:?} in the manifest"));
    }
    let chosen: HashSet<String> = if only.is_empty() { known } else { only.iter().cloned().collect() };
    for id in &chosen {
        let Some(component) = manifest.components.get(id) else { continue };
        for entry in component.allowed_outbound_hosts.iter().filter_map(|entry| entry.literal()) {
            let Some((_, host)) = entry.split_once("://") else { continue };
            match chained_component(host) {
                Some(target) if target == "*" && !only.is_empty() => {
                    return Err(format!("component {id:?} may call every other, so all must run: {entry:?}"));
                }
                Some(target) if target != "*" && !chosen.contains(&target) => {
                    return Err(format!(
                        "component {id:?} may call {target:?}, which does not run: {entry:?}"
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(chosen)
}
