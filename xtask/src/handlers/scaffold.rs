//! `cargo xtask new-handler`: a folder that builds, and its entries in `spin.toml`.
//!
//! The files are those of the Spin templates in `templates/`, of which this is a small renderer: a template has no other
//! placeholders than the three that are replaced here.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use super::manifest::with_handler;

/// The language of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust.
    Rust,
    /// JavaScript.
    Javascript,
    /// Python.
    Python,
}

impl Language {
    fn template(self) -> &'static str {
        match self {
            Self::Rust => "accepted-handler-rust",
            Self::Javascript => "accepted-handler-javascript",
            Self::Python => "accepted-handler-python",
        }
    }
}

/// Writes the folder `handlers/NAME` of the application in `application` and its entries in `spin.toml`. `templates` is the
/// folder of the templates.
///
/// # Errors
/// When the name is unusable or taken, or a file cannot be written.
pub fn create(application: &Path, templates: &Path, name: &str, language: Language) -> Result<()> {
    check_name(name)?;
    let output = format!("handlers/{name}");
    let folder = application.join(&output);
    if folder.exists() {
        bail!("{output} exists already");
    }
    let template = templates.join(language.template());
    let snippet = template.join("metadata/snippets/component.txt");
    let entries =
        std::fs::read_to_string(&snippet).with_context(|| format!("cannot read {}", snippet.display()))?;
    let manifest = application.join("spin.toml");
    let text =
        std::fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let text = with_handler(&text, &render(&entries, name, &output), name)?;
    copy(&template.join("content"), &folder, &|text| render(text, name, &output))?;
    std::fs::write(&manifest, text).with_context(|| format!("cannot write {}", manifest.display()))
}

/// What to do with a new handler.
#[must_use]
pub fn next_steps(name: &str, language: Language) -> String {
    let folder = format!("handlers/{name}");
    let test = match language {
        Language::Rust => format!("cargo test --manifest-path {folder}/Cargo.toml"),
        Language::Javascript => format!("npm test --prefix {folder}"),
        Language::Python => format!("python3 -m unittest discover --start-directory {folder}"),
    };
    format!(
        "{folder} and spin.toml are written.\n\n  test it        {test}\n  run one task   cargo xtask try-handler {name} \
         {folder}/input.json\n  run everything cargo xtask up"
    )
}

/// A name that is a component's id, a crate's, an npm package's and a host's in `*.spin.internal`.
fn check_name(name: &str) -> Result<()> {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    };
    if name.len() > 60 || !name.split('-').all(is_word) {
        bail!(
            "`{name}` is no name of a handler: at most 60 lower-case letters and digits, words joined by -"
        );
    }
    Ok(())
}

fn render(text: &str, name: &str, output: &str) -> String {
    text.replace("{{project-name | kebab_case}}", name)
        .replace("{{project-name | snake_case}}", &name.replace('-', "_"))
        .replace("{{output-path}}", output)
}

fn copy(from: &Path, to: &Path, render: &dyn Fn(&str) -> String) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name), render)?;
            continue;
        }
        // Spin's templates mark files that are nothing before they are rendered.
        let target = to.join(name.strip_suffix(".tmpl").unwrap_or(&name));
        let text = std::fs::read_to_string(entry.path()).with_context(|| format!("cannot read {name}"))?;
        std::fs::write(&target, render(&text))
            .with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::root;

    const LANGUAGES: [Language; 3] = [Language::Rust, Language::Javascript, Language::Python];

    fn application() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(root().join("spin.toml"), folder.path().join("spin.toml")).unwrap();
        folder
    }

    fn files(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn new_handler_has_no_placeholder_left_and_the_package_of_the_interface() {
        let application = application();
        for language in LANGUAGES {
            let name = format!("my-{}2", language.template().rsplit('-').next().unwrap());
            create(application.path(), &root().join("templates"), &name, language).unwrap();
            let folder = application.path().join("handlers").join(&name);
            for file in files(&folder) {
                let text = std::fs::read_to_string(&file).unwrap();
                assert!(!text.contains("{{") && file.extension().is_none_or(|end| end != "tmpl"), "{file:?}");
            }
            let of = |path: &Path| std::fs::read_to_string(path).unwrap();
            assert_eq!(
                of(&folder.join("wit/handler.wit")),
                of(&root().join("wit/handler.wit")),
                "{language:?}"
            );
        }
        let manifest = std::fs::read_to_string(application.path().join("spin.toml")).unwrap();
        assert!(!manifest.contains("{{project-name") && !manifest.contains("{{output-path"), "{manifest}");
        assert!(
            manifest.contains("handlers/my-rust2/target/wasm32-wasip2/release/my_rust2.wasm"),
            "{manifest}"
        );
        assert!(manifest.contains(r#""my-javascript2":"my-javascript2""#), "{manifest}");
    }

    #[test]
    fn taken_or_unusable_name_leaves_everything_as_it_is() {
        let application = application();
        let before = std::fs::read_to_string(application.path().join("spin.toml")).unwrap();
        for name in ["", "Thumbnail", "a_b", "a--b", "-a", "a-", "1a", "a/b", "..", "worker", "api"] {
            create(application.path(), &root().join("templates"), name, Language::Python).unwrap_err();
        }
        assert_eq!(std::fs::read_to_string(application.path().join("spin.toml")).unwrap(), before);
        assert!(!application.path().join("handlers").exists());
    }
}
