//! Documents name only files that exist.

use super::tree::Tree;

/// A word that ends like this is taken for a file.
const ENDS: [&str; 16] = [
    ".rs",
    ".toml",
    ".md",
    ".bicep",
    ".yaml",
    ".yml",
    ".json",
    ".js",
    ".mjs",
    ".css",
    ".html",
    ".sh",
    ".py",
    ".lock",
    ".wasm",
    ".bicepparam",
];

/// Names that look like files of this project and are not.
const ELSEWHERE: [(&str, &str); 3] = [
    ("target/", "made by a build"),
    ("node_modules/", "made by npm"),
    ("test-output/", "made by a test run"),
];

/// Checks links and code spans of every document.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (document, text) in tree.text(&[".md"]) {
        let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in prose(text) {
            for target in links(line) {
                let path = resolve(folder, target);
                if !path.is_empty() && !tree.has(&path) && !is_elsewhere(&path) {
                    wrong.push(format!("{document}:{number} links to {target}, which does not exist"));
                }
            }
            for span in spans(line) {
                if names_a_file(tree, span) && !exists(tree, folder, span) {
                    wrong.push(format!("{document}:{number} names `{span}`, which does not exist"));
                }
            }
        }
    }
    wrong
}

/// The lines outside code blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    })
}

/// Targets of links to files, without anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ']).next()?.split('#').next()?;
        let is_file = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
        is_file.then_some(target)
    })
}

/// What stands between single back-ticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn names_a_file(tree: &Tree, span: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/*{},".contains(c);
    let has_end = ENDS.iter().any(|end| span.ends_with(end) && span.len() > end.len());
    span.chars().all(is_plain)
        && !span.starts_with('/')
        && !span.starts_with('-')
        && !is_elsewhere(span)
        && (has_end || tree.starts_in_a_folder(span))
}

fn is_elsewhere(path: &str) -> bool {
    ELSEWHERE.iter().any(|(folder, _)| path.starts_with(folder))
}

/// Whether a path exists from the root, from the document's folder, or as the end of some path: prose about one
/// crate names the files of that crate.
fn exists(tree: &Tree, folder: &str, span: &str) -> bool {
    alternatives(span).iter().all(|path| {
        let from_here = resolve(folder, path);
        // A pattern stands for the folder it looks in.
        let fixed = |path: &str| path.split('*').next().unwrap_or_default().trim_end_matches('/').to_owned();
        let anywhere = || tree.files.keys().any(|file| file.ends_with(&format!("/{path}")));
        if path.contains('*') {
            return fixed(path).is_empty() || tree.files.keys().any(|file| file.starts_with(&fixed(path)));
        }
        tree.has(path) || tree.has(&from_here) || anywhere()
    })
}

/// `a/{b,c}.rs` names two files.
fn alternatives(span: &str) -> Vec<String> {
    let Some((before, rest)) = span.split_once('{') else { return vec![span.to_owned()] };
    let Some((inner, after)) = rest.split_once('}') else { return vec![span.to_owned()] };
    inner.split(',').flat_map(|part| alternatives(&format!("{before}{part}{after}"))).collect()
}

fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if let Some(from_root) = path.strip_prefix('/') {
        return from_root.to_owned();
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        let files = [
            ("README.md", ""),
            ("docs/api.md", text),
            ("docs/operations.md", ""),
            ("crates/azure/src/lib.rs", ""),
            ("crates/azure/src/queue/mod.rs", ""),
            ("spin.toml", ""),
        ];
        check(&Tree::of(&files))
    }

    #[test]
    fn existing_files_may_be_named_in_three_ways() {
        let text = "See `crates/azure/src/lib.rs`, `crates/azure/`, [operations](operations.md#drain), `operations.md`,
            [root](../README.md), `lib.rs`, `spin.toml`, `crates/azure/src/{lib.rs,queue/mod.rs}`, `crates/*/src`,
            `target/debug/host`, `queue/mod.rs`, `application/json`, `GET /tasks/{id}`, `https://example.org/a.rs`, `cargo xtask up`.
            ```
            crates/none/made-up.rs
            ```";
        assert_eq!(wrong(text), Vec::<String>::new());
    }

    #[test]
    fn missing_file_is_named_with_its_line() {
        for text in [
            "ok\nsee `crates/azure/src/gone.rs`",
            "ok\nsee [there](gone.md)",
            "ok\nsee `gone.toml`",
            "ok\nsee `crates/gone`",
            "ok\nsee `crates/azure/src/{lib,gone}.rs`",
        ] {
            let sentences = wrong(text);
            assert_eq!(sentences.len(), 1, "{text}: {sentences:?}");
            assert!(sentences[0].starts_with("docs/api.md:2 "), "{sentences:?}");
        }
    }
}
