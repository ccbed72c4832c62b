//! Comparing two JSON texts by what they hold.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::number::Number;

/// A value taken apart as far as it is compared.
#[derive(PartialEq)]
enum Node<'a> {
    /// `null`, `true` or `false`.
    Word(&'a str),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(BTreeMap<Cow<'a, str>, Node<'a>>),
}

/// Whether two compact JSON texts hold the same. Text that is no JSON equals nothing.
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

/// Reads compact JSON whose syntax and depth have been checked, which is why it may recurse.
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

    /// What stands between the bracket in front and `end`, separated by commas.
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

    /// A number or a word: everything up to the next sign of structure.
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
        let quoted = self.take(closing + 2)?;
        if quoted.contains('\\') {
            return serde_json::from_slice(quoted.as_bytes()).ok().map(Cow::Owned);
        }
        quoted.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
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
    fn what_holds_the_same_is_equal_however_it_is_spelt() {
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
    fn what_holds_something_else_is_not() {
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
