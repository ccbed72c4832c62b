//! What a filled compile cache saves when a host starts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use bench::{Comparison, MIN_ROUNDS, Table};
use host::{Blueprint, CompileCache, Runtime};

use crate::cpu;
use crate::ratios::cells;
use crate::world::{absolute, scratch};

/// Loads the manifest's components with an empty cache and with a filled one, in turn.
pub(crate) fn measure(manifest: &Path) -> Result<Table> {
    let filled = absolute(&scratch())?.join("filled");
    load(&CompileCache::Folder(filled.clone()), manifest)?;
    let (mut cpu_time, mut wall) = (Comparison::default(), Comparison::default());
    for _ in 0..MIN_ROUNDS {
        let without = load(&CompileCache::Off, manifest)?;
        let with = load(&CompileCache::Folder(filled.clone()), manifest)?;
        cpu_time.add(without.cpu, with.cpu);
        wall.add(without.wall, with.wall);
    }
    let mut table = Table::new(&["Loading both components", "ratio", "middle half", "ms", "ms"]);
    table.row(&cells("CPU time, compiled / from a filled cache", &cpu_time.ratio()?));
    table.row(&cells("time on the wall, compiled / from a filled cache", &wall.ratio()?));
    table.row(&[
        "bytes that the filled cache takes".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        size(&filled)?.to_string(),
    ]);
    Ok(table)
}

/// In milliseconds.
struct Taken {
    cpu: f64,
    wall: f64,
}

/// A runtime of its own each time: within one, nothing is compiled twice.
fn load(cache: &CompileCache, manifest: &Path) -> Result<Taken> {
    let (cpu, wall) = (cpu::used(), Instant::now());
    Blueprint::load(&Runtime::new(cache)?, manifest, &[])?;
    let taken = Taken {
        cpu: cpu::used().saturating_sub(cpu).as_secs_f64() * 1e3,
        wall: wall.elapsed().as_secs_f64() * 1e3,
    };
    Ok(taken)
}

/// Bytes in a folder and those below it.
fn size(folder: &PathBuf) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
