//! No file is marked as unfinished. Open work is tracked as an issue, not as a comment.

use super::tree::Tree;

/// Written in two parts, or this file would break its own rule.
const WORDS: [(&str, &str); 4] = [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("HA", "CK")];
const CALLS: [(&str, &str); 3] = [("todo", "!("), ("unimple", "mented!("), ("dbg", "!(")];

/// Files that may, and why.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("web/pages/vendor/", "other people's files, as they publish them"),
    ("package-lock.json", "hashes contain any letters"),
];

/// Checks every text file.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in tree.text_except(&[""], &EXCEPTIONS) {
        for (number, line) in (1..).zip(text.lines()) {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let is_marker = |word: &str| WORDS.iter().any(|(start, end)| word == format!("{start}{end}"));
            let calls = CALLS.map(|(start, end)| format!("{start}{end}"));
            if words.into_iter().any(is_marker) || calls.iter().any(|call| line.contains(call.as_str())) {
                wrong.push(format!("{path}:{number} is marked as unfinished: {}", line.trim()));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_and_calls_are_found_as_whole_words() {
        let (marker, call) = (WORDS[0], CALLS[0]);
        let text = format!(
            "ok\n// {}{}: later\n{}{})\nsee the {}{}s",
            marker.0, marker.1, call.0, call.1, marker.0, marker.1
        );
        let wrong = check(&Tree::of(&[("a.rs", &text)]));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("a.rs:2 ") && wrong[1].starts_with("a.rs:3 "));
    }
}
