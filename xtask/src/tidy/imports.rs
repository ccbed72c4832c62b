//! What a source file imports, read from its tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path such as `crate::queue::Message`, as its parts. A glob ends with the module.
pub(super) type Path = Vec<String>;

/// Every path of a `use`, and every other path that starts at `crate`, `super` or `self`. Code for tests is left
/// out, and so is a file that is no Rust: the compiler says so.
pub(super) fn imports(text: &str) -> Vec<Path> {
    let mut found = Vec::new();
    if let Ok(tokens) = text.parse::<TokenStream>() {
        collect(tokens, &mut found);
    }
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<Path>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            TokenTree::Punct(hash) if hash.as_char() == '#' && after.first().is_some_and(is_for_tests) => {
                rest = behind_item(after);
            }
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Ident(word) if word == "use" => rest = leaves(after, &Path::new(), found),
            TokenTree::Ident(word) if ["crate", "super", "self"].iter().any(|start| word == start) => {
                rest = leaves(rest_with(&tokens, after), &Path::new(), found);
            }
            _ => {}
        }
    }
}

/// The tokens from the one before `after`.
fn rest_with<'a>(tokens: &'a [TokenTree], after: &[TokenTree]) -> &'a [TokenTree] {
    tokens.get(tokens.len() - after.len() - 1..).unwrap_or_default()
}

fn is_for_tests(attribute: &TokenTree) -> bool {
    attribute.to_string().split_whitespace().collect::<String>() == "[cfg(test)]"
}

/// What follows the item that starts here: it ends with its body or a semicolon.
fn behind_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    let end = tokens.iter().position(is_end).unwrap_or(tokens.len());
    tokens.get(end + 1..).unwrap_or_default()
}

/// Adds the paths of one `use` tree and returns what follows it.
fn leaves<'a>(mut tokens: &'a [TokenTree], prefix: &[String], found: &mut Vec<Path>) -> &'a [TokenTree] {
    let mut path = prefix.to_vec();
    loop {
        match tokens.split_first() {
            Some((TokenTree::Ident(part), after)) => {
                path.push(part.to_string());
                tokens = after;
            }
            Some((TokenTree::Group(group), after)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for tree in inner.split(is_comma) {
                    leaves(tree, &path, found);
                }
                return after;
            }
            _ => break,
        }
        match tokens {
            [TokenTree::Punct(a), TokenTree::Punct(b), after @ ..]
                if a.as_char() == ':' && b.as_char() == ':' =>
            {
                tokens = after;
            }
            _ => break,
        }
    }
    // `self` within braces is the module itself.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    // A word alone is a receiver, a visibility or a crate.
    if path.len() > 1 {
        found.push(path);
    }
    tokens
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        imports(text).into_iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn trees_of_use_are_spread_out() {
        assert_eq!(
            of("pub(crate) use crate::{a::{self, B as C}, d::*}; use std::fmt;"),
            ["crate::a", "crate::a::B", "crate::d", "std::fmt"]
        );
    }

    #[test]
    fn paths_within_code_and_macros_are_found() {
        assert_eq!(
            of("fn f(x: super::Y) { println!(\"{}\", crate::a::b(self.x, self::c::<u8>())); }"),
            ["super::Y", "crate::a::b", "self::c"]
        );
    }

    #[test]
    fn comments_text_and_tests_are_left_out() {
        assert_eq!(
            of(
                "//! [`crate::x`]\n/// [crate::y]\nconst A: &str = \"use crate::z;\"; #[cfg(test)] mod tests { use super::*; } use crate::q;"
            ),
            ["crate::q"]
        );
    }
}
