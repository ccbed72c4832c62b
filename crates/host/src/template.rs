//! Texts with `{{ variable }}` in them.

use std::fmt;

/// A text in which application variables are named in double braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Variable(String),
}

/// `{{` without `}}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} opens {{{{ and does not close it with }}}}")]
pub struct UnclosedBraces(String);

impl Template {
    /// Reads a text. Blanks around a name do not count.
    ///
    /// # Errors
    /// When braces are opened and not closed.
    pub fn parse(text: &str) -> Result<Self, UnclosedBraces> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let (name, tail) = after.split_once("}}").ok_or_else(|| UnclosedBraces(text.to_owned()))?;
            parts.push(Part::Variable(name.trim().to_owned()));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The names in it, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text itself, when no variable is named in it.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Puts values in the place of names.
    ///
    /// # Errors
    /// The first error of `value`.
    pub fn resolve<E>(&self, mut value: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(&value(name)?),
            }
        }
        Ok(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(literal) => f.write_str(literal)?,
                Part::Variable(name) => write!(f, "{{{{ {name} }}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_in_braces_are_replaced() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{{ a }}", "<a>"),
            ("{{a}}{{  b  }}", "<a><b>"),
            ("https://{{ a }}:{{ b }}/x }} {", "https://<a>:<b>/x }} {"),
        ] {
            let template = Template::parse(text).unwrap();
            let resolved = template.resolve(|name| Ok::<_, ()>(format!("<{name}>"))).unwrap();
            assert_eq!(resolved, expected, "{text}");
        }
    }

    #[test]
    fn braces_that_stay_open_are_refused() {
        let error = Template::parse("{{ a }} {{ b").unwrap_err();
        assert_eq!(error.to_string(), r#""{{ a }} {{ b" opens {{ and does not close it with }}"#);
    }

    #[test]
    fn text_without_names_is_literal() {
        assert_eq!(Template::parse("x").unwrap().literal(), Some("x"));
        assert_eq!(Template::parse("").unwrap().literal(), Some(""));
        assert_eq!(Template::parse("x{{ y }}").unwrap().literal(), None);
    }
}
