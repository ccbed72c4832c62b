//! The settings that follow from the options, once everything that this host cannot honour is refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Format, Up};
use crate::limits::Limits;
use crate::runtime_config::RuntimeConfig;

/// The settings of `host up`. Without `Debug`: values may be secrets.
pub struct Settings {
    /// The manifest.
    pub manifest: PathBuf,
    /// Only these components, or all.
    pub components: Vec<String>,
    /// Added to every component's environment.
    pub environment: BTreeMap<String, String>,
    /// Values of variables.
    pub variables: BTreeMap<String, String>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further ports to try when that one is in use.
    pub further_ports: u16,
    /// Largest buffer of a connection.
    pub max_buffer: Option<usize>,
    /// Limits of instances.
    pub limits: Limits,
    /// Whether compiled components are kept between runs.
    pub cache: bool,
    /// A wasmtime cache configuration that says where, or the user's cache folder.
    pub cache_file: Option<PathBuf>,
    /// `--runtime-config-file`.
    pub runtime_config: RuntimeConfig,
    /// The components whose output is shown; `None` for all.
    pub follow: Option<Vec<String>>,
}

/// The name of a manifest.
const MANIFEST: &str = "spin.toml";
/// Spin tries ten ports in all.
const MAX_FURTHER_PORTS: u16 = 9;
/// Folders in which Spin looks for a manifest, upwards.
const MAX_FOLDERS: usize = 20;

impl Up {
    /// Reads the files that the options name, and refuses what this host cannot honour.
    ///
    /// # Errors
    /// A sentence that names the option and says what to do.
    pub fn into_settings(self) -> Result<Settings, String> {
        self.refuse()?;
        let runtime_config = match &self.runtime_config_file {
            Some(path) => RuntimeConfig::read(path)?,
            None => RuntimeConfig::default(),
        };
        let manifest = match (&self.from, &self.from_file) {
            (Some(from), _) if !Path::new(from).exists() => {
                return Err(format!(
                    "File or directory '{from}' not found. A reference into a registry needs Spin itself."
                ));
            }
            (Some(from), _) => manifest_of(Path::new(from))?,
            (None, Some(path)) => manifest_of(path)?,
            (None, None) => find_upwards(Path::new("."))?,
        };
        let mut variables = BTreeMap::new();
        for source in &self.variable {
            variables.extend(source.read()?);
        }
        let follow =
            if self.quiet { Some(Vec::new()) } else { (!self.follow.is_empty()).then_some(self.follow) };
        Ok(Settings {
            manifest,
            components: self.components,
            environment: self.env.into_iter().collect(),
            variables,
            listen: self.listen,
            further_ports: if self.find_free_port { MAX_FURTHER_PORTS } else { 0 },
            max_buffer: self.http1_max_buf_size,
            limits: Limits {
                max_instance_reuse_count: self.max_instance_reuse_count,
                max_instance_concurrent_reuse_count: self.max_instance_concurrent_reuse_count,
                idle_instance_timeout: self.idle_instance_timeout,
                request_timeout: self.request_timeout,
                max_instance_memory: self.max_instance_memory,
            },
            cache: !self.disable_cache,
            cache_file: self.cache,
            runtime_config,
            follow,
        })
    }

    fn refuse(&self) -> Result<(), String> {
        let refused = [
            (self.from_registry.is_some(), "--from-registry", "it runs applications of this machine only"),
            (
                self.log_dir.is_some(),
                "--log-dir (SPIN_LOG_DIR)",
                "it writes lines to the terminal, never to files",
            ),
            (self.profile.is_some(), "--profile", "it knows no build profiles"),
            (self.build, "--build (SPIN_ALWAYS_BUILD)", "it builds nothing: run cargo xtask build first"),
            (self.debug_info, "--debug-info", "its components cannot be debugged"),
            (self.tls_cert.is_some(), "--tls-cert (SPIN_TLS_CERT)", "it serves plain HTTP only"),
            (self.format == Format::Json, "--format json", "it prints its routes as lines only"),
            (self.allow_transient_write, "--allow-transient-write", "its components only read their files"),
            (self.experimental_wasi_otel, "--experimental-wasi-otel", "it has no WASI OTel"),
            (!self.key_values.is_empty(), "--key-value", "it has no key-value store"),
            (!self.sqlite_statements.is_empty(), "--sqlite", "it has no database"),
        ];
        match refused.iter().find(|(given, ..)| *given) {
            Some((_, option, reason)) => Err(format!(
                "{option} is an option of Spin that this host cannot honour: {reason}. Leave it out."
            )),
            None => Ok(()),
        }
    }
}

/// A manifest, or the one in a folder, by Spin's rules.
fn manifest_of(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    if path.is_dir() {
        let manifest = path.join(MANIFEST);
        return if manifest.is_file() {
            Ok(manifest)
        } else {
            Err(format!("Directory {shown} does not contain a file named '{MANIFEST}'"))
        };
    }
    if path.extension().is_some_and(|extension| extension == "wasm" || extension == "wat") {
        return Err(format!("{shown} is a component; this host needs the {MANIFEST} of an application"));
    }
    if path.is_file() { Ok(path.to_owned()) } else { Err(format!("No such file or directory '{shown}'")) }
}

/// `spin.toml` in `folder` or the nearest one above, at most up to the root of a repository.
fn find_upwards(folder: &Path) -> Result<PathBuf, String> {
    let mut folder = folder.to_owned();
    for _ in 0..MAX_FOLDERS {
        let manifest = folder.join(MANIFEST);
        if manifest.is_file() {
            return Ok(manifest);
        }
        if folder.join(".git").is_dir() || !folder.join("..").is_dir() {
            break;
        }
        folder.push("..");
    }
    Err(format!(
        "Default file '{MANIFEST}' not found. Run `host up --from <APPLICATION>`, or `host up --help` for usage."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_is_found_up_to_the_root_of_the_repository() {
        let root = std::env::temp_dir().join(format!("host-settings-{}", std::process::id()));
        std::fs::create_dir_all(root.join("a/b/c")).unwrap();
        std::fs::create_dir_all(root.join("a/.git")).unwrap();
        std::fs::write(root.join(MANIFEST), "").unwrap();
        assert!(
            find_upwards(&root.join("a/b/c")).unwrap_err().contains("Default file 'spin.toml' not found")
        );
        std::fs::write(root.join("a").join(MANIFEST), "").unwrap();
        assert_eq!(find_upwards(&root.join("a/b/c")).unwrap(), root.join("a/b/c/../../spin.toml"));
        assert_eq!(manifest_of(&root).unwrap(), root.join(MANIFEST));
        assert!(
            manifest_of(&root.join("a/b")).unwrap_err().contains("does not contain a file named 'spin.toml'")
        );
        assert!(manifest_of(&root.join("x")).unwrap_err().contains("No such file or directory"));
        assert!(manifest_of(&root.join("x.wasm")).unwrap_err().contains("is a component"));
        std::fs::remove_dir_all(root).unwrap();
    }
}
