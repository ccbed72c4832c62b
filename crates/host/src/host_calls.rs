//! Counts the calls of components to the host, by name.
//!
//! wasmtime's call hook gives no names and does not see the built-in functions of the component model, such as
//! `waitable.join`. The core module of a component is therefore rewritten before it is compiled: each imported function
//! is called through a shim that reports the call first. What the component does does not change.

mod rewrite;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Linker;

pub(crate) use rewrite::RewriteError;

/// The name under which a rewritten component imports the function that counts.
const IMPORT: &str = "host-call";

/// The calls of all components of a [`Runtime`](crate::Runtime) since the last [`take`](HostCalls::take).
#[derive(Debug, Clone, Default)]
pub struct HostCalls(Arc<Mutex<Tally>>);

#[derive(Debug, Default)]
struct Tally {
    names: Vec<String>,
    counts: Vec<u64>,
}

impl HostCalls {
    /// The calls by name since the last time. A name that was not called is absent.
    #[must_use]
    pub fn take(&self) -> BTreeMap<String, u64> {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Tally { names, counts } = &mut *tally;
        let mut taken = BTreeMap::new();
        for (name, count) in names.iter().zip(counts).filter(|(_, count)| **count > 0) {
            *taken.entry(name.clone()).or_default() += std::mem::take(count);
        }
        taken
    }

    /// Rewrites a component so that its calls are counted here.
    pub(crate) fn count_in(&self, component: &[u8]) -> Result<Vec<u8>, RewriteError> {
        let number = |name: String| {
            let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let number = u32::try_from(tally.names.len()).unwrap_or(u32::MAX);
            tally.names.push(name);
            tally.counts.push(0);
            number
        };
        rewrite::rewrite(component, number)
    }

    /// Defines the function that counts.
    pub(crate) fn add_to_linker<T: Send + 'static>(&self, linker: &mut Linker<T>) -> wasmtime::Result<()> {
        let calls = self.clone();
        linker.root().func_wrap(IMPORT, move |_, (number,): (u32,)| {
            calls.add(number);
            Ok(())
        })
    }

    fn add(&self, number: u32) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = tally.counts.get_mut(number as usize) {
            *count += 1;
        }
    }
}
