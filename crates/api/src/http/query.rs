//! Query parameters of one request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use service::problem::{Kind, Refusal};

/// What RFC 3986 leaves unreserved needs no escape.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parameters, decoded.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Takes a query apart and refuses what is given twice and what is not UTF-8.
    pub(crate) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut found: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if found.iter().any(|(earlier, _)| *earlier == name) {
                return Err(refused(format!("{name}: must not be given more than once.")));
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// Refuses parameters that are not in `known`. `api-version`, which Azure clients send everywhere, is
    /// always known and never used.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, Refusal> {
        let is_known = |name: &str| name == "api-version" || known.contains(&name);
        if self.0.iter().all(|(name, _)| is_known(name)) {
            Ok(self)
        } else {
            Err(refused(format!("An unknown parameter was given. Known are: {}.", known.join(", "))))
        }
    }

    /// The parameter's value; empty counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(found, _)| found == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }
}

fn decode(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| refused("The query must be percent-encoded UTF-8."))
}

pub(crate) fn refused(detail: impl Into<String>) -> Refusal {
    Refusal::new(Kind::InvalidParameter, detail)
}

/// `value`, escaped for a query.
pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, &ESCAPED).to_string()
}
