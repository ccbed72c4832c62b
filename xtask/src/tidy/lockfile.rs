//! The npm lock file has versions and hashes, and no addresses of a registry.

use super::tree::Tree;

/// Checks every `package-lock.json`.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.text(&["package-lock.json"])
        .filter(|(_, text)| text.contains("\"resolved\""))
        .map(|(path, _)| {
            format!("{path} has download addresses: remove them with `npm install --package-lock-only` (.npmrc omits them)")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn download_address_is_found() {
        let files = [
            ("package-lock.json", r#"{"resolved": "x"}"#),
            ("web/package-lock.json", r#"{"integrity": "x"}"#),
        ];
        assert_eq!(check(&Tree::of(&files)).len(), 1);
    }
}
