//! Documents show only commands and options of `cargo xtask` that exist.

use clap::{Arg, Command, CommandFactory as _};

use super::tree::Tree;
use crate::cli::CommandLine;

/// Checks every `cargo xtask …` in every document, in prose and in code blocks.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let commands = CommandLine::command();
    let mut wrong = Vec::new();
    for (document, text) in tree.text(&[".md"]) {
        for (number, line) in (1..).zip(text.lines()) {
            for call in line.split("cargo xtask ").skip(1) {
                if let Some(mistake) = mistake(&commands, call) {
                    wrong.push(format!("{document}:{number} shows {mistake}"));
                }
            }
        }
    }
    wrong
}

/// What does not exist in the words after `cargo xtask`.
fn mistake(commands: &Command, call: &str) -> Option<String> {
    // In prose the call ends with its back-tick.
    let call = call.split(['`', '#', '|', ';']).next().unwrap_or_default();
    let mut words = call.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ')', ':', ']']));
    let name = words.next().unwrap_or_default();
    if name == "help" || name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
        return None;
    }
    let Some(command) = commands.find_subcommand(name) else {
        return Some(format!("`cargo xtask {name}`, which does not exist"));
    };
    // Other programs know the options that are passed on to them.
    if command.get_arguments().any(Arg::is_trailing_var_arg_set) {
        return None;
    }
    let mut options = words.filter_map(|word| word.strip_prefix("--")?.split('=').next());
    let unknown = options.find(|option| {
        *option != "help" && !command.get_arguments().any(|argument| argument.get_long() == Some(option))
    })?;
    Some(format!("--{unknown}, which `{name}` does not have"))
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
