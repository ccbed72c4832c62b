//! No file has more than the allowed number of lines.

use super::tree::Tree;

/// Above this a file has more than one idea.
const LINES: usize = 500;

/// Longer files, and why.
const EXCEPTIONS: [(&str, &str); 1] = [("web/pages/vendor/", "other people's files, as they publish them")];

/// Checks the length of source files.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.text_except(&[".rs", ".js", ".mjs", ".css", ".py"], &EXCEPTIONS)
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(path, lines)| format!("{path} has {lines} lines; split it by idea (at most {LINES})"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_of_501_lines_is_refused_unless_listed() {
        let (long, longest) = ("x\n".repeat(501), "x\n".repeat(500));
        let files = [
            ("a.rs", long.as_str()),
            ("b.rs", longest.as_str()),
            ("web/pages/vendor/x.js", &long),
            ("c.json", &long),
        ];
        let wrong = check(&Tree::of(&files));
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("a.rs has 501"));
    }
}
