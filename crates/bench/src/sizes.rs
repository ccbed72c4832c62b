//! Sizes of the components, as they are shipped and with other optimisation.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bench::{Comparison, Table};

use crate::ratios::{cells, small_task};
use crate::world::{Credential, World, absolute, blueprint, root, scratch};

/// The compiler's target of components.
pub(crate) const TARGET: &str = "wasm32-wasip2";
/// Names of the packages, and of the files that are made of them.
const COMPONENTS: [(&str, &str); 2] =
    [("api-component", "api_component.wasm"), ("worker-component", "worker_component.wasm")];
/// Values of `opt-level`, as they are written in a manifest.
const LEVELS: [&str; 3] = ["\"z\"", "\"s\"", "3"];

/// Sizes of the shipped components.
pub(crate) fn shipped() -> Result<Table> {
    let mut table = Table::new(&["Component", "bytes"]);
    for (package, file) in COMPONENTS {
        table.row(&[package.to_owned(), size(&root().join("target"), file)?.to_string()]);
    }
    Ok(table)
}

/// Builds the components with each level and measures sizes and the hot paths against what is shipped.
pub(crate) async fn compare(rounds: usize) -> Result<Vec<Table>> {
    let own = shipped_level()?;
    let mut sizes = Table::new(&["opt-level", "api-component", "worker-component"]);
    let mut speeds = Table::new(&["CPU time of … / of …", "ratio", "middle half", "µs", "µs"]);
    let shipped = Built::start("shipped", &root().join("spin.toml"))?;
    for level in LEVELS {
        let is_own = level == own;
        let target = if is_own { root().join("target") } else { build(level)? };
        let mark = if is_own { " (shipped)" } else { "" };
        let mut row = vec![format!("{}{mark}", level.trim_matches('"'))];
        for (_, file) in COMPONENTS {
            row.push(size(&target, file)?.to_string());
        }
        sizes.row(&row);
        if !is_own {
            let other = Built::start(level.trim_matches('"'), &manifest_for(&target)?)?;
            other.against(&shipped, rounds, &mut speeds).await?;
        }
    }
    Ok(vec![sizes, speeds])
}

/// Measures the components of other target folders against what is shipped.
pub(crate) async fn compare_with(others: &[PathBuf], rounds: usize) -> Result<Vec<Table>> {
    let mut sizes = Table::new(&["target folder", "api-component", "worker-component"]);
    let mut speeds = Table::new(&["CPU time of … / of …", "ratio", "middle half", "µs", "µs"]);
    let shipped = Built::start("shipped", &root().join("spin.toml"))?;
    let own = root().join("target");
    for target in std::iter::once(&own).chain(others) {
        let mut row = vec![target.display().to_string()];
        for (_, file) in COMPONENTS {
            row.push(size(target, file)?.to_string());
        }
        sizes.row(&row);
    }
    for target in others {
        let folder = target.parent().context("a target folder is in another")?;
        let name = folder.file_name().context("a target folder is in a named one")?.to_string_lossy();
        let other = Built::start(&name, &manifest_for(target)?)?;
        other.against(&shipped, rounds, &mut speeds).await?;
    }
    Ok(vec![sizes, speeds])
}

/// An application from one build of the components.
struct Built {
    name: String,
    world: World,
}

impl Built {
    fn start(name: &str, manifest: &Path) -> Result<Self> {
        let world = World::start(&blueprint(manifest)?, Credential::SharedKey, Duration::ZERO)?;
        Ok(Self { name: name.to_owned(), world })
    }

    async fn against(&self, shipped: &Self, rounds: usize, table: &mut Table) -> Result<()> {
        let (mut submits, mut drains) = (Comparison::default(), Comparison::default());
        self.costs().await?;
        shipped.costs().await?;
        for round in 0..rounds {
            let (own, its) = if round % 2 == 0 {
                let own = self.costs().await?;
                (own, shipped.costs().await?)
            } else {
                let its = shipped.costs().await?;
                (self.costs().await?, its)
            };
            submits.add(own.0, its.0);
            drains.add(own.1, its.1);
        }
        table.row(&cells(&format!("submit, {} / shipped", self.name), &submits.ratio()?));
        table.row(&cells(&format!("drain per task, {} / shipped", self.name), &drains.ratio()?));
        Ok(())
    }

    /// Microseconds of CPU for one submission, and for one task of a drain.
    async fn costs(&self) -> Result<(f64, f64)> {
        const TASKS: u16 = 32;
        let (world, task) = (&self.world, small_task());
        let submits = world.cost(async {
            for _ in 0..TASKS {
                world.submit(&task).await?;
            }
            Ok(())
        });
        let submits = submits.await?;
        let drain = world.cost(world.drain(TASKS.into())).await?;
        Ok((submits / f64::from(TASKS), drain / f64::from(TASKS)))
    }
}

/// The `opt-level` of the release profile, as it is written.
fn shipped_level() -> Result<String> {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let level = manifest
        .get("profile")
        .and_then(|profiles| profiles.get("release")?.get("opt-level"))
        .context("the release profile in Cargo.toml has no opt-level")?;
    Ok(level.to_string())
}

/// Builds the components with an `opt-level`; the target folder.
fn build(level: &str) -> Result<PathBuf> {
    let target = absolute(&scratch())?.join(format!("opt-{}", level.trim_matches('"'))).join("target");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(root()).args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(&target);
    build.arg("--config").arg(format!("profile.release.opt-level={level}"));
    for (package, _) in COMPONENTS {
        build.args(["--package", package]);
    }
    eprintln!("building the components with opt-level {level}");
    let status = build.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the build with opt-level {level} failed");
    }
    Ok(target)
}

/// `spin.toml` beside another target folder, so that its sources are found there. The folders that it mounts
/// stay where they are.
fn manifest_for(target: &Path) -> Result<PathBuf> {
    let folder = target.parent().context("a target folder is in another")?;
    let home = absolute(&root())?;
    let text = std::fs::read_to_string(root().join("spin.toml"))?;
    let moved = text.replace("source = \"web", &format!("source = \"{}/web", home.display()));
    ensure!(moved.contains("\"target/wasm32-wasip2"), "spin.toml names its components differently");
    let path = folder.join("spin.toml");
    std::fs::write(&path, moved).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn size(target: &Path, file: &str) -> Result<u64> {
    let path = target.join(TARGET).join("release").join(file);
    let metadata = std::fs::metadata(&path);
    Ok(metadata.with_context(|| format!("{} is missing: run cargo xtask build", path.display()))?.len())
}
