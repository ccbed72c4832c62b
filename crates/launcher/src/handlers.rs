//! Checks, without I/O, that the task handlers of a replica leave connections to storage.

use std::collections::BTreeMap;

use lifecycle::handler_limit::{MAX_HANDLER_CONNECTIONS, MAX_HOST_CONNECTIONS, fits, is_outside};

use crate::environment::spin_name;

/// `max_concurrency` when it is not set.
const DEFAULT_CONCURRENCY: usize = 32;

/// Checks what the worker cannot check: it does not know how many drains run side by side.
///
/// # Errors
/// A sentence that says what to lower. Values that the worker refuses by itself are not checked here.
pub fn check(environment: &BTreeMap<String, String>, drains: usize) -> Result<(), String> {
    let variable = |name: &str| environment.get(&spin_name(name)).map(|value| value.trim());
    let handlers: BTreeMap<String, String> =
        variable("task_handlers").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let concurrency =
        variable("max_concurrency").map_or(Some(DEFAULT_CONCURRENCY), |text| text.parse().ok()).unwrap_or(0);
    if fits(drains, concurrency) || !handlers.values().any(|url| is_outside(url)) {
        return Ok(());
    }
    Err(format!(
        "lower --parallel ({drains}) or SPIN_VARIABLE_MAX_CONCURRENCY ({concurrency}): their product may be at most \
         {MAX_HANDLER_CONNECTIONS} while SPIN_VARIABLE_TASK_HANDLERS names a host outside of the application, because each of \
         these tasks holds one of the host's {MAX_HOST_CONNECTIONS} connections and storage needs the rest"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_handlers_leave_connections_to_storage() {
        let outside = r#"{"a":"http://a.spin.internal/","b":"https://work.example.org/run"}"#;
        let inside = r#"{"a":"http://a.spin.internal/"}"#;
        for (handlers, concurrency, drains, usable) in [
            (Some(outside), Some("100"), 2, true),
            (Some(outside), Some("101"), 2, false),
            (Some(outside), None, 6, true),
            (Some(outside), None, 7, false),
            (Some(inside), Some("256"), 2, true),
            (None, Some("256"), 64, true),
            // The worker refuses these.
            (Some("{"), Some("256"), 2, true),
            (Some(outside), Some("many"), 2, true),
        ] {
            let given = [("TASK_HANDLERS", handlers), ("MAX_CONCURRENCY", concurrency)];
            let environment = given
                .into_iter()
                .filter_map(|(name, value)| Some((format!("SPIN_VARIABLE_{name}"), value?.to_owned())))
                .collect();
            let checked = check(&environment, drains);
            assert_eq!(checked.is_ok(), usable, "{handlers:?} {concurrency:?} {drains}");
            if let Err(sentence) = checked {
                assert!(sentence.contains("--parallel") && sentence.contains("200"), "{sentence}");
            }
        }
    }
}
