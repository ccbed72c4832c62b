//! Comparison of two JSON texts by content.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::number::Number;

/// A value parsed as far as the comparison needs it.
#[derive(PartialEq)]
enum Node<'a> {
    /// `null`, `true` or `false`.
    Word(&'a str),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(BTreeMap<Cow<'a, str>, Node<'a>>),
}

/// Returns whether two compact JSON texts have the same content. Text that is not JSON equals nothing.
pub(crate) fn are_equal(a: &str, b: &str) -> bool {
    match (node(a), node(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn node(text: &str) -> Option<Node<'_>> {
    let mut cursor = Cursor { rest: text };
    let node = cursor.value()?;
    cursor.rest.is_empty().then_some(node)
}

/// Returns the content of a JSON string, whose syntax is valid; `None` for any other value, and for a lone surrogate.
#[must_use]
pub fn text(json: &str) -> Option<Cow<'_, str>> {
    let content = json.strip_prefix('"')?.strip_suffix('"')?;
    if content.contains('\\') {
        return serde_json::from_slice(json.as_bytes()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(content))
}

/// Parses compact JSON. It may recurse because syntax and depth have been checked before.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn value(&mut self) -> Option<Node<'a>> {
        match self.rest.as_bytes().first()? {
            b'"' => self.text().map(Node::Text),
            b'[' => {
                let mut list = Vec::new();
                self.all(']', |cursor| {
                    list.push(cursor.value()?);
                    Some(())
                })?;
                Some(Node::List(list))
            }
            b'{' => {
                let mut members = BTreeMap::new();
                self.all('}', |cursor| {
                    let name = cursor.text()?;
                    cursor.rest = cursor.rest.strip_prefix(':')?;
                    members.insert(name, cursor.value()?);
                    Some(())
                })?;
                Some(Node::Object(members))
            }
            b'-' | b'0'..=b'9' => Some(Node::Number(Number::of(self.plain()?))),
            _ => self.plain().map(Node::Word),
        }
    }

    /// Parses the items up to `end`, separated by commas, after the opening bracket.
    fn all(&mut self, end: char, mut one: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.rest = self.rest.get(1..)?;
        if let Some(rest) = self.rest.strip_prefix(end) {
            self.rest = rest;
            return Some(());
        }
        loop {
            one(self)?;
            if let Some(rest) = self.rest.strip_prefix(end) {
                self.rest = rest;
                return Some(());
            }
            self.rest = self.rest.strip_prefix(',')?;
        }
    }

    /// Parses a number or a literal name: everything up to the next structural character.
    fn plain(&mut self) -> Option<&'a str> {
        let end = self.rest.find([',', ']', '}']).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let mut escaped = false;
        let closing = self.rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        })?;
        text(self.take(closing + 2)?)
    }

    fn take(&mut self, end: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_json_is_equal_in_any_spelling() {
        for (a, b) in [
            ("{\"a\":1,\"b\":[true,null]}", "{\"b\":[true,null],\"a\":1.0}"),
            ("\"\\u00e4\\/\"", "\"ä/\""),
            ("{\"\\u0061\":{}}", "{\"a\":{}}"),
            ("{\"a\":1,\"a\":2}", "{\"a\":2}"),
            ("[[],[{}]]", "[[],[{}]]"),
            ("\"\\\\\"", "\"\\u005c\""),
        ] {
            assert!(are_equal(a, b), "{a} {b}");
        }
    }

    #[test]
    fn different_json_is_not_equal() {
        for (a, b) in [
            ("{\"amount\":1000000000000000000001}", "{\"amount\":1000000000000000000002}"),
            ("1", "\"1\""),
            ("true", "\"true\""),
            ("null", "false"),
            ("[1,2]", "[2,1]"),
            ("[]", "{}"),
            ("{\"a\":1}", "{\"A\":1}"),
            ("{\"a\":1}", "{\"a\":1,\"b\":null}"),
            ("[1", "[1"),
        ] {
            assert!(!are_equal(a, b), "{a} {b}");
        }
    }
}
