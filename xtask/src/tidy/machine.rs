//! No file names a folder of the machine on which it was written.

use super::tree::Tree;

/// Where people and builds keep things. Written in two parts, or this file would break its own rule.
const HOMES: [(&str, &str); 5] =
    [("/ho", "me/"), ("/Use", "rs/"), ("/wo", "rk/"), ("/ro", "ot/"), ("C:\\Use", "rs\\")];

/// Files that may, and why.
const EXCEPTIONS: [(&str, &str); 1] = [("web/pages/vendor/", "other people's files, as they publish them")];

/// Checks every text file.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in tree.text_except(&[""], &EXCEPTIONS) {
        for (number, line) in (1..).zip(text.lines()) {
            for home in HOMES.map(|(start, end)| format!("{start}{end}")) {
                // Part of a longer path, such as one in a URL, has a letter before it.
                let is_absolute = |at: usize| {
                    let before = line.get(..at).and_then(|text| text.chars().next_back());
                    before.is_none_or(|c| !c.is_alphanumeric() && !"-_./}".contains(c))
                };
                if line.match_indices(&home).any(|(at, _)| is_absolute(at)) {
                    wrong.push(format!("{path}:{number} names a folder of one machine ({home}…)"));
                }
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_folders_are_found_and_url_paths_are_not() {
        let home = HOMES.map(|(start, end)| format!("{start}{end}")).remove_first();
        let bad = format!("ok\nsee {home}me/x");
        let good = format!("https://example.org{home}x");
        let wrong = check(&Tree::of(&[("a.md", &bad), ("b.md", &good)]));
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("a.md:2 "));
    }

    trait First {
        fn remove_first(self) -> String;
    }

    impl<const N: usize> First for [String; N] {
        fn remove_first(self) -> String {
            self.into_iter().next().unwrap()
        }
    }
}
