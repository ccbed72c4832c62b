//! Media types (RFC 9110, section 8.3.1). Pure.

/// A media type or a media range, such as `application/json; charset=utf-8` or `text/*`. Names are compared without
/// case.
#[derive(Debug, Clone, Copy)]
pub struct MediaType<'a> {
    /// What stands before the slash.
    pub kind: &'a str,
    /// What stands after the slash, without parameters.
    pub subtype: &'a str,
    /// What follows the first semicolon.
    rest: &'a str,
}

impl<'a> MediaType<'a> {
    /// Parses a header's value; `None` without a slash.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (essence, rest) = text.split_once(';').unwrap_or((text, ""));
        let (kind, subtype) = essence.trim().split_once('/')?;
        Some(Self { kind, subtype, rest })
    }

    /// Names and values of the parameters, without white space around them.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.rest.split(';').map(|parameter| match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (parameter.trim(), None),
        })
    }

    /// Whether this is the type `kind/subtype`.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Whether this is JSON: `application/json`, `text/json`, or a type with the suffix `+json` (RFC 6839).
    #[must_use]
    pub fn is_json(&self) -> bool {
        let has_suffix = self.subtype.to_ascii_lowercase().ends_with("+json");
        self.is("application", "json") || self.is("text", "json") || !self.kind.is_empty() && has_suffix
    }
}
