//! The state of one instance, and the interfaces that components may import: WASI 0.2 and 0.3, both with HTTP,
//! and `spin:variables@3.0.0`.

use std::sync::Arc;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use wasmtime::component::{Accessor, ComponentType, Lift, Linker, Lower, ResourceTable};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::clock::WasiClock;
use crate::component::RunningComponent;
use crate::instance_tracker::InstanceHandle;
use crate::log::{GuestOutput, Source};
use crate::outgoing::Hooks;
use crate::variables::check_name;
use crate::watched::Watched;

/// The state behind one instance.
pub(crate) struct Guest {
    component: Arc<RunningComponent>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    hooks: Hooks,
    pub(crate) watched: Watched,
}

impl Guest {
    /// A fresh state for an instance of `component`.
    pub(crate) fn new(component: &Arc<RunningComponent>, instance: InstanceHandle) -> wasmtime::Result<Self> {
        let instance = Arc::new(instance);
        let mut wasi = WasiCtxBuilder::new();
        let output = |source| GuestOutput {
            component: Arc::clone(&component.id),
            source,
            sink: Arc::clone(&component.log),
            instance: Arc::clone(&instance),
        };
        wasi.stdout(output(Source::Stdout)).stderr(output(Source::Stderr));
        for (name, value) in &component.environment {
            wasi.env(name, value);
        }
        for mount in &component.declaration.files {
            wasi.preopened_dir(&mount.source, &mount.destination, FsPerms::ReadOnly)?;
        }
        wasi.wall_clock(WasiClock(Arc::clone(&component.clock)));
        wasi.monotonic_clock(WasiClock(Arc::clone(&component.clock)));
        if let Some(seed) = component.seed {
            let seed = instance_seed(seed, &component.id, instance.number());
            wasi.secure_random(Xoshiro256PlusPlus::seed_from_u64(seed));
            wasi.insecure_random(Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_add(1)));
            wasi.insecure_random_seed(u128::from(seed));
        }
        Ok(Self {
            component: Arc::clone(component),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            hooks: Hooks::new(Arc::clone(component), instance),
            watched: Watched::new(component.limits.max_instance_memory),
        })
    }

    /// Whether the instance was ended from outside, so that its failure is expected.
    pub(crate) fn is_ended(&self) -> bool {
        self.hooks.is_ended()
    }
}

/// Mixes (FNV-1a) the seed with the component's name and the number of the instance, so that no two
/// instances make the same ids.
fn instance_seed(seed: u64, component: &str, number: usize) -> u64 {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    let bytes = seed.to_le_bytes().into_iter().chain(component.bytes()).chain(number.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// `spin:variables/variables@3.0.0.error`.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum VariablesError {
    #[component(name = "invalid-name")]
    InvalidName(String),
    #[component(name = "undefined")]
    Undefined(String),
    #[component(name = "provider")]
    Provider(String),
    #[component(name = "other")]
    Other(String),
}

/// Everything a component may import.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    linker.instance("spin:variables/variables@3.0.0")?.func_wrap_concurrent(
        "get",
        |accessor: &Accessor<Guest>, (name,): (String,)| {
            let result = accessor.with(|mut access| variable(&access.get().component, name));
            Box::pin(async move { Ok((result,)) })
        },
    )
}

fn variable(component: &RunningComponent, name: String) -> Result<String, VariablesError> {
    if let Err(reason) = check_name(&name) {
        return Err(VariablesError::InvalidName(reason));
    }
    let Some(template) = component.declaration.variables.get(&name) else {
        return Err(VariablesError::Undefined(name));
    };
    component.variables.resolve(template).map_err(|error| VariablesError::Provider(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instance_has_its_own_repeatable_seed() {
        let seeds = [
            instance_seed(1, "api", 0),
            instance_seed(1, "api", 1),
            instance_seed(1, "worker", 0),
            instance_seed(2, "api", 0),
        ];
        for (index, seed) in seeds.iter().enumerate() {
            assert!(!seeds[..index].contains(seed));
        }
        assert_eq!(seeds[0], instance_seed(1, "api", 0));
    }
}
