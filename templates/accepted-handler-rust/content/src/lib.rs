//! The task handler `{{project-name | kebab_case}}`.

#[cfg(target_family = "wasm")]
mod component;
mod error;

pub use error::Error;

/// `Input` of the task.
#[derive(Debug, serde::Deserialize)]
struct Input {
    name: String,
}

/// Computes the result from the JSON text of `Input`. Must be idempotent: after a crash the task runs again.
///
/// # Errors
/// [`Error::Fail`] fails the task; after any other error it is tried again.
pub fn work(input: &str) -> Result<String, Error> {
    let input: Input =
        serde_json::from_str(input).map_err(|error| Error::Fail(format!("unusable Input: {error}")))?;
    Ok(serde_json::json!({ "greeting": format!("Hello, {}", input.name) }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_has_the_name_of_the_input() {
        assert_eq!(work(r#"{"name":"Ada"}"#).unwrap(), r#"{"greeting":"Hello, Ada"}"#);
    }

    #[test]
    fn unusable_input_fails_the_task() {
        assert!(matches!(work("[]").unwrap_err(), Error::Fail(_)));
    }
}
