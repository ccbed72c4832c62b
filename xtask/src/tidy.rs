//! `cargo xtask tidy`: the rules that no compiler checks.
//!
//! Each rule looks at a [`Tree`], the files of the project and its packages, and says what is wrong and why
//! it matters. Each has a test that shows it can fail.

mod circles;
mod code_map;
mod commands;
mod dependencies;
mod documents;
mod imports;
mod length;
mod lockfile;
mod log_lines;
mod machine;
mod markers;
mod tree;
mod words;

use anyhow::{Result, bail};

use tree::Tree;

/// A rule: sentences about what is wrong.
type Rule = fn(&Tree) -> Vec<String>;

const RULES: &[(&str, Rule)] = &[
    ("code map", code_map::check),
    ("circles of imports", circles::check),
    ("dependency direction", dependencies::direction),
    ("rules for packages that exist", dependencies::existence),
    ("licence", dependencies::licence),
    ("documents name what exists", documents::check),
    ("documented commands exist", commands::check),
    ("file length", length::check),
    ("npm lock file", lockfile::check),
    ("log messages", log_lines::check),
    ("paths of one machine", machine::check),
    ("unfinished work", markers::check),
    ("words", words::check),
];

/// Applies every rule.
///
/// # Errors
/// When anything is wrong; all of it is printed before.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::read()?;
    let mut wrong = 0;
    for (name, rule) in RULES {
        for sentence in rule(&tree) {
            eprintln!("{name}: {sentence}");
            wrong += 1;
        }
    }
    if wrong > 0 {
        bail!("tidy found {wrong} things");
    }
    println!("tidy: {} rules hold for {} files", RULES.len(), tree.files.len());
    Ok(())
}
