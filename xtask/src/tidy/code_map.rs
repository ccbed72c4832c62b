//! Every package is in the code map of ARCHITECTURE.md.

use super::tree::Tree;

/// The document with the code map, and its heading there.
const DOCUMENT: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Code map";

/// Checks that the folder of each package is named in the code map. That the map names nothing else is checked
/// with all other names of files.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let text = tree.files.get(DOCUMENT).and_then(Option::as_deref).unwrap_or_default();
    let map = text.split(HEADING).nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    let folders = tree.files.keys().filter_map(|path| path.strip_suffix("/Cargo.toml"));
    folders
        .filter(|folder| !map.contains(&format!("`{folder}/`")))
        .map(|folder| {
            format!("`{folder}/` has no line under \"{HEADING}\" in {DOCUMENT}: say what it is for")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_without_a_line_in_the_code_map_is_named() {
        let map = "# A\n## Code map\n| `crates/a/` | … |\n## Later\n`crates/b/`";
        let tree = Tree::of(&[(DOCUMENT, map), ("crates/a/Cargo.toml", ""), ("crates/b/Cargo.toml", "")]);
        let wrong = check(&tree);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("`crates/b/` "));
    }
}
