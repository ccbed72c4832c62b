//! Application variables: where their values come from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::dotenv;
use crate::template::Template;

/// One variable of `[variables]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The value when no provider has one; `None` for a required variable.
    pub default: Option<String>,
    /// Whether the value must not be shown.
    pub secret: bool,
}

impl fmt::Debug for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = if self.secret { "(secret)" } else { self.default.as_deref().unwrap_or("(required)") };
        f.debug_struct("Declaration").field("default", &default).field("secret", &self.secret).finish()
    }
}

/// Why a variable has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// `[variables]` does not declare it.
    #[error("the variable {0:?} is not declared in [variables]")]
    Undeclared(String),
    /// It is required and has no value.
    #[error("the required variable {0:?} has no value: set SPIN_VARIABLE_{upper} or pass --variable {0}=…", upper = .0.to_ascii_uppercase())]
    Missing(String),
}

/// Checks the name of a variable by Spin's rules.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_name(name: &str) -> Result<(), String> {
    let reason = if name.is_empty() {
        "must not be empty"
    } else if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        "may contain only lower-case letters, digits and underscores"
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must begin with a lower-case letter"
    } else if name.ends_with('_') {
        "must not end with an underscore"
    } else if name.contains("__") {
        "must not contain two underscores in a row"
    } else {
        return Ok(());
    };
    Err(format!("the variable name {name:?} {reason}"))
}

/// Checks the name of a variable in a manifest, where Spin's rules are stricter: each word begins with a letter.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_declared_name(name: &str) -> Result<(), String> {
    check_name(name)?;
    if name.split('_').all(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) {
        return Ok(());
    }
    Err(format!("the variable name {name:?} must have a letter after each underscore"))
}

/// Values from outside the manifest, strongest first: given ones (`--variable`, tests), the
/// environment (`SPIN_VARIABLE_…`), the `.env` file beside the manifest.
#[derive(Clone, Default)]
pub struct Providers {
    given: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Providers").field("given", &self.given.keys()).finish_non_exhaustive()
    }
}

const PREFIX: &str = "SPIN_VARIABLE_";

impl Providers {
    /// Only these values, whatever the environment holds: for tests.
    #[must_use]
    pub fn only(given: BTreeMap<String, String>) -> Self {
        Self { given, ..Self::default() }
    }

    /// `given`, then this process's environment, then `.env` in `folder`.
    ///
    /// # Errors
    /// A sentence when `.env` cannot be read or a value is not Unicode.
    pub fn of_process(given: BTreeMap<String, String>, folder: &Path) -> Result<Self, String> {
        let mut environment = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let value = value.into_string().map_err(|_| format!("the value of {name} is not Unicode"))?;
            environment.insert(name.to_owned(), value);
        }
        let path = folder.join(".env");
        let dotenv = match std::fs::read_to_string(&path) {
            Ok(text) => dotenv::parse(&text).map_err(|reason| format!("{}: {reason}", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        Ok(Self { given, environment, dotenv })
    }

    fn value(&self, name: &str) -> Option<&str> {
        let in_environment = || format!("{PREFIX}{}", name.to_ascii_uppercase());
        self.given
            .get(name)
            .or_else(|| self.environment.get(&in_environment()))
            .or_else(|| self.dotenv.get(&in_environment()))
            .map(String::as_str)
    }
}

/// The variables of the application with the providers of their values.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    declared: BTreeMap<String, Declaration>,
    providers: Providers,
}

impl Variables {
    /// Joins declarations and providers.
    ///
    /// # Errors
    /// When a given value belongs to no declared variable.
    pub fn new(declared: BTreeMap<String, Declaration>, providers: Providers) -> Result<Self, VariableError> {
        if let Some(name) = providers.given.keys().find(|name| !declared.contains_key(*name)) {
            return Err(VariableError::Undeclared(name.clone()));
        }
        Ok(Self { declared, providers })
    }

    /// Checks that every variable has a value; otherwise Spin does not start the application.
    ///
    /// # Errors
    /// [`VariableError::Missing`] with the first that has none.
    pub fn check_required(&self) -> Result<(), VariableError> {
        self.declared.keys().try_for_each(|name| self.value(name).map(drop))
    }

    /// The value of one application variable.
    ///
    /// # Errors
    /// [`VariableError`] when it is not declared or required and not given.
    pub fn value(&self, name: &str) -> Result<String, VariableError> {
        let declaration =
            self.declared.get(name).ok_or_else(|| VariableError::Undeclared(name.to_owned()))?;
        self.providers
            .value(name)
            .or(declaration.default.as_deref())
            .map(str::to_owned)
            .ok_or_else(|| VariableError::Missing(name.to_owned()))
    }

    /// Replaces the names in a template by their values.
    ///
    /// # Errors
    /// [`VariableError`] of the first variable without a value.
    pub fn resolve(&self, template: &Template) -> Result<String, VariableError> {
        template.resolve(|name| self.value(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn declared() -> BTreeMap<String, Declaration> {
        let declaration =
            |default: Option<&str>| Declaration { default: default.map(str::to_owned), secret: true };
        [
            ("a", Some("default")),
            ("b", Some("default")),
            ("c", Some("default")),
            ("d", Some("default")),
            ("e", None),
        ]
        .into_iter()
        .map(|(name, default)| (name.to_owned(), declaration(default)))
        .collect()
    }

    #[test]
    fn given_value_wins_over_environment_and_dotenv() {
        let providers = Providers {
            given: map(&[("a", "given")]),
            environment: map(&[("SPIN_VARIABLE_A", "env"), ("SPIN_VARIABLE_B", "env")]),
            dotenv: map(&[
                ("SPIN_VARIABLE_A", ".env"),
                ("SPIN_VARIABLE_B", ".env"),
                ("SPIN_VARIABLE_C", ".env"),
            ]),
        };
        let variables = Variables::new(declared(), providers).unwrap();
        let values: Vec<_> = ["a", "b", "c", "d"].map(|name| variables.value(name).unwrap()).into();
        assert_eq!(values, ["given", "env", ".env", "default"]);
    }

    #[test]
    fn missing_required_variable_is_an_error_with_advice() {
        let variables = Variables::new(declared(), Providers::default()).unwrap();
        let error = variables.resolve(&Template::parse("x{{ e }}").unwrap()).unwrap_err();
        assert_eq!(variables.check_required().unwrap_err(), error);
        Variables::new(declared(), Providers::only(map(&[("e", "")]))).unwrap().check_required().unwrap();
        assert_eq!(
            error.to_string(),
            "the required variable \"e\" has no value: set SPIN_VARIABLE_E or pass --variable e=…"
        );
    }

    #[test]
    fn value_for_an_undeclared_variable_is_refused() {
        let error = Variables::new(declared(), Providers::only(map(&[("typo", "x")]))).unwrap_err();
        assert_eq!(error, VariableError::Undeclared("typo".to_owned()));
    }

    #[test]
    fn names_are_spelled_as_spin_demands() {
        for good in ["a", "abc", "a1b2c3", "a_1", "a_1_b_3"] {
            check_name(good).unwrap();
        }
        for bad in ["", "aX", "1bc", "_x", "x.y", "x_", "a__b", "x-y"] {
            check_name(bad).unwrap_err();
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let variables = Variables::new(declared(), Providers::only(map(&[("a", "hidden")]))).unwrap();
        let shown = format!("{variables:?}");
        assert!(!shown.contains("hidden") && !shown.contains("default\""), "{shown}");
    }
}
