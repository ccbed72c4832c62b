//! Query parameters of a request. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use service::problem::{HttpError, ProblemKind};

/// All characters except the unreserved ones of RFC 3986.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parameters, decoded.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// If a parameter occurs twice or is not percent-encoded UTF-8.
    pub(crate) fn parse(query: &str) -> Result<Self, HttpError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if parameters.iter().any(|(earlier, _)| *earlier == name) {
                return Err(invalid_parameter(format!("{name}: must not be given more than once.")));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// Refuses parameters that are not in `known`. `api-version`, which Azure clients send with every request, is
    /// accepted and ignored.
    pub(crate) fn allow_only(self, known: &[&str]) -> Result<Self, HttpError> {
        let is_known = |name: &str| name == "api-version" || known.contains(&name);
        if self.0.iter().all(|(name, _)| is_known(name)) {
            Ok(self)
        } else {
            Err(invalid_parameter(format!(
                "An unknown parameter was given. Known are: {}.",
                known.join(", ")
            )))
        }
    }

    /// The value of a parameter; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(found, _)| found == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }
}

fn decode(text: &str) -> Result<String, HttpError> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| invalid_parameter("The query must be percent-encoded UTF-8."))
}

pub(crate) fn invalid_parameter(detail: impl Into<String>) -> HttpError {
    HttpError::new(ProblemKind::InvalidParameter, detail)
}

/// Percent-encodes `value` for a query.
pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, &ESCAPED).to_string()
}
