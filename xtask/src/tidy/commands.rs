//! Documents show only commands and options of `cargo xtask` that exist.

use super::tree::Tree;
use crate::{COMMANDS, HELP};

/// Checks every `cargo xtask …` in every document, in prose and in code blocks.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (document, text) in tree.text(&[".md"]) {
        for (number, line) in (1..).zip(text.lines()) {
            for call in line.split("cargo xtask ").skip(1) {
                // In prose the call ends with its back-tick.
                let call = call.split(['`', '#', '|', ';']).next().unwrap_or_default();
                let mut words = call.split_whitespace();
                let name = words.next().unwrap_or_default().trim_end_matches(['.', ',', ')', ':']);
                let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                if is_name && !COMMANDS.contains(&name) {
                    wrong.push(format!(
                        "{document}:{number} shows `cargo xtask {name}`, which does not exist"
                    ));
                }
                if matches!(name, "up" | "demo" | "test") {
                    for option in words.filter(|word| word.starts_with("--")) {
                        let option = option
                            .split('=')
                            .next()
                            .unwrap_or_default()
                            .trim_end_matches(['.', ',', ')', ']']);
                        if !HELP.contains(&format!("  {option} ")) {
                            wrong.push(format!(
                                "{document}:{number} shows {option}, which `{name}` does not have"
                            ));
                        }
                    }
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
    fn commands_that_exist_may_be_shown() {
        let text = "Run `cargo xtask up --listen 0.0.0.0:3000`, then\n    cargo xtask test   # all tests\n`cargo xtask test --host spin`.";
        assert_eq!(check(&Tree::of(&[("README.md", text)])), Vec::<String>::new());
    }

    #[test]
    fn other_commands_and_options_are_named_with_their_line() {
        let text = "\n```\ncargo xtask lift-off\n```\n`cargo xtask up --loudly`";
        let wrong = check(&Tree::of(&[("docs/api.md", text)]));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("docs/api.md:3 "));
        assert!(wrong[1].contains("--loudly"));
    }
}
