//! The host of the components and its command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::options::HostKind;
use super::programs::Programs;
use crate::command::{first_line, root};

/// The command that runs the components of a manifest: the same words for either host.
///
/// Like the image, without a folder for state and logs, with the project's runtime configuration, and with folders
/// served from where they are.
///
/// # Errors
/// When the embedded host was not built.
pub fn host_command(
    kind: HostKind,
    programs: &Programs,
    manifest: &Path,
    listen: &str,
) -> Result<Vec<String>> {
    let file = |name: &str| root().join(name).to_string_lossy().into_owned();
    let program = match kind {
        HostKind::Spin => "spin".to_owned(),
        HostKind::Embedded => programs.get("host")?.to_string_lossy().into_owned(),
    };
    let (manifest, configuration) = (manifest.to_string_lossy(), file("runtime-config.toml"));
    let words = ["up", "--from", &manifest, "--runtime-config-file", &configuration, "--direct-mounts"];
    let rest = ["--state-dir", "", "--listen", listen];
    Ok(std::iter::once(program).chain(words.into_iter().chain(rest).map(str::to_owned)).collect())
}

/// A Spin that can run the components.
#[derive(Debug)]
pub struct Spin {
    /// What it says of itself.
    pub version: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The Spin on PATH.
///
/// # Errors
/// A sentence when there is none, or only one that is too old.
pub fn find_spin() -> Result<Spin> {
    let version = usable(first_line("spin", &["--version"]).as_deref())?;
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join("spin")).find(|path| path.is_file());
    let path = found.context("spin was started, but is in no folder of PATH")?;
    // Absolute: tests copy it from elsewhere.
    let path = std::path::absolute(path).context("cannot tell where spin is")?;
    Ok(Spin { version, path })
}

/// What Spin says of itself, when there is one that can run the components.
fn usable(version: Option<&str>) -> Result<String> {
    let found = version.unwrap_or("none");
    if !is_new_enough(found) {
        bail!(
            "--host spin needs Spin 4.1 or newer on PATH (found: {found}); leave the option out to use the embedded host"
        );
    }
    Ok(found.to_owned())
}

/// The host that is wanted, or the best there is.
///
/// # Errors
/// When Spin is wanted and there is none.
pub fn choose_host(wanted: Option<HostKind>) -> Result<HostKind> {
    match (wanted, find_spin()) {
        (Some(HostKind::Spin), Err(error)) => Err(error),
        (Some(kind), _) => Ok(kind),
        (None, Ok(_)) => Ok(HostKind::Spin),
        (None, Err(_)) => Ok(HostKind::Embedded),
    }
}

/// Whether `spin --version` names 4.1 or later: what came before speaks another WASI.
fn is_new_enough(version: &str) -> bool {
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split(['.', '-', '+']).map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) >= (4, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spin_is_used_from_4_1_on() {
        for (version, usable) in [
            ("spin 4.1.0 (abcdef0 2026-09-01)", true),
            ("spin 4.2.0-pre0 (abcdef0 2026-09-01)", true),
            ("spin 5.0.1", true),
            ("spin 4.0.9", false),
            ("spin 3.9.0", false),
            ("something else", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), usable, "{version}");
        }
    }

    #[test]
    fn nothing_that_needs_spin_passes_without_a_usable_one() {
        for (found, words) in [(None, "found: none"), (Some("spin 4.0.2 (x)"), "found: spin 4.0.2 (x)")] {
            let sentence = usable(found).unwrap_err().to_string();
            assert!(
                sentence.starts_with("--host spin needs Spin 4.1") && sentence.contains(words),
                "{sentence}"
            );
        }
        assert_eq!(usable(Some("spin 4.1.0")).unwrap(), "spin 4.1.0");
    }

    #[test]
    fn both_hosts_are_given_the_same_words() {
        let mut programs = Programs::default();
        programs.paths.insert("host".to_owned(), "/x/host".into());
        let manifest = Path::new("/x/spin.toml");
        let of = |kind| host_command(kind, &programs, manifest, "127.0.0.1:1").unwrap();
        let (spin, embedded) = (of(HostKind::Spin), of(HostKind::Embedded));
        assert_eq!((spin[0].as_str(), embedded[0].as_str()), ("spin", "/x/host"));
        assert_eq!(spin[1..], embedded[1..]);
        assert!(host_command(HostKind::Embedded, &Programs::default(), manifest, "127.0.0.1:1").is_err());
    }
}
