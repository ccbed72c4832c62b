//! Words that CONTRIBUTING.md, "How to write", rules out.

use super::tree::Tree;

/// A word, in two parts or this file would break its own rule, and what to write instead.
const WORDS: [(&str, &str, &str); 10] = [
    ("exactly ", "once", "delivery is at least once, the outcome is recorded once"),
    ("belongs ", "into", "belongs to, or goes into"),
    ("for ", "ever", "without a limit, or until something ends it"),
    ("some", "body", "name who acts: the client, the operator, another worker"),
    ("no", "body", "name who does not act: no client, no worker"),
    ("any", "body", "name who acts: any client, any worker"),
    ("every", "body", "name who is meant: every client, every caller"),
    ("ans", "wer", "response, the word of RFC 9110"),
    ("ans", "wers", "responds, or responses"),
    ("answe", "red", "responded, or responded to"),
];

/// Files that may, and why.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("web/pages/vendor/", "other people's files, as they publish them"),
    ("CONTRIBUTING.md", "quotes what it rules out"),
    ("package-lock.json", "names of packages"),
    ("Cargo.lock", "names of packages"),
];

/// Checks every text file.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in tree.text_except(&[""], &EXCEPTIONS) {
        for (number, line) in (1..).zip(text.lines()) {
            for (start, end, instead) in WORDS {
                let word = format!("{start}{end}");
                if has(line, &word) {
                    wrong.push(format!("{path}:{number} says \"{word}\": {instead}"));
                }
            }
        }
    }
    wrong
}

/// Whether the line has the word, also at the beginning of a sentence or within a name with underscores.
fn has(line: &str, word: &str) -> bool {
    let mut capital = word.chars();
    let capital: String = capital.next().into_iter().flat_map(char::to_uppercase).chain(capital).collect();
    [word, &capital, &word.replace(' ', "_")].into_iter().any(|word| {
        line.match_indices(word).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
            let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            is_apart(before) && is_apart(after)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole_in_text_and_names() {
        let word = format!("{}{}", WORDS[4].0, WORDS[4].1);
        let text = format!("ok\n// {word} waits\nfn while_{word}_waits()\nX{word}, {}", word.to_uppercase());
        let wrong = check(&Tree::of(&[("a.rs", &text)]));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("a.rs:2 ") && wrong[1].starts_with("a.rs:3 "));
    }

    #[test]
    fn phrases_are_found_at_the_start_of_a_sentence() {
        let phrase = format!("E{}{}", &WORDS[0].0[1..], WORDS[0].1);
        assert_eq!(check(&Tree::of(&[("a.md", &format!("{phrase}, always"))])).len(), 1);
    }
}
