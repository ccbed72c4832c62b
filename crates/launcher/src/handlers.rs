//! The task handlers of a replica, without I/O: whether they exist, which hosts they need, and whether they leave
//! connections to storage.

use std::collections::BTreeMap;

use azure::Secret;
use lifecycle::handler_limit::{MAX_HANDLER_CONNECTIONS, MAX_HOST_CONNECTIONS, fits, is_outside};
use lifecycle::handlers::Handlers;

use crate::environment::spin_name;
use crate::hosts::origin;
use crate::manifest::Manifest;

/// `max_concurrency` when it is not set.
const DEFAULT_CONCURRENCY: usize = 32;
/// The variables for hosts of handlers outside the application, in the order in which they are set.
const OUTSIDE_HOSTS: [&str; 3] = ["handler_hosts_b", "handler_hosts_c", "handler_hosts_d"];

/// Reads `task_handlers`, from the environment or else from the manifest.
///
/// # Errors
/// A sentence, if a rule names a component that requests cannot reach. A value that the worker refuses by itself is no
/// error here; there are then no handlers.
pub fn read(environment: &BTreeMap<String, String>, manifest: Option<&Manifest>) -> Result<Handlers, String> {
    let given = environment.get(&spin_name("task_handlers")).filter(|text| !text.trim().is_empty());
    let default = || manifest.and_then(|manifest| manifest.defaults.get("task_handlers"));
    let Some(text) = given.or_else(default) else { return Ok(Handlers::default()) };
    let handlers = Handlers::parse(text).unwrap_or_default();
    let Some(manifest) = manifest else { return Ok(handlers) };
    for (pattern, rule) in handlers.iter() {
        let Some(id) = rule.handler.as_ref().and_then(|handler| handler.component()) else { continue };
        if !manifest.reachable.contains(id) {
            return Err(format!(
                "task_handlers sends {pattern:?} to the component {id:?}, but the manifest has no [component.{id}] with a \
                 [[trigger.http]]; a handler needs both, the trigger with route = {{ private = true }}"
            ));
        }
    }
    Ok(handlers)
}

/// Returns the variables that allow the worker the hosts of handlers outside the application. None that is set in
/// `environment` is changed.
///
/// # Errors
/// A sentence, if there are more hosts than variables.
pub fn host_variables(
    handlers: &Handlers,
    environment: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Secret>, String> {
    let is_set = |name: &str| environment.get(&spin_name(name)).is_some_and(|value| !value.trim().is_empty());
    let given: Vec<_> = ["handler_hosts"]
        .iter()
        .chain(&OUTSIDE_HOSTS)
        .filter_map(|name| environment.get(&spin_name(name)))
        .map(|value| value.trim().trim_end_matches('/').to_ascii_lowercase())
        .collect();
    // A pattern may allow any of the hosts; what it does not allow, the host denies by name.
    let has_pattern = given.iter().any(|host| host.contains('*') && is_outside(host));
    let mut origins: Vec<_> = handlers.urls().filter(|url| is_outside(url)).filter_map(origin).collect();
    origins.sort_unstable();
    origins.dedup();
    origins.retain(|origin| !has_pattern && !given.contains(origin));
    let free: Vec<_> = OUTSIDE_HOSTS.iter().filter(|name| !is_set(name)).collect();
    if origins.len() > free.len() {
        return Err(format!(
            "task_handlers names {} hosts that no variable allows, but only {} of handler_hosts_b to handler_hosts_d are \
             free; set one of them to a pattern such as https://*.example.org",
            origins.len(),
            free.len()
        ));
    }
    Ok(free.into_iter().zip(origins).map(|(name, origin)| (spin_name(name), Secret::new(origin))).collect())
}

/// Checks what the worker cannot check: it does not know how many drains run side by side.
///
/// `in_process` says whether the handlers that are components run in the worker's host process, where they need no
/// connection.
///
/// # Errors
/// A sentence that says what to lower. Values that the worker refuses by itself are not checked here.
pub fn check(
    handlers: &Handlers,
    environment: &BTreeMap<String, String>,
    drains: usize,
    in_process: bool,
) -> Result<(), String> {
    let variable = |name: &str| environment.get(&spin_name(name)).map(|value| value.trim());
    let concurrency =
        variable("max_concurrency").map_or(Some(DEFAULT_CONCURRENCY), |text| text.parse().ok()).unwrap_or(0);
    let needs_connections =
        handlers.urls().any(is_outside) || !in_process && !handlers.components().is_empty();
    if fits(drains, concurrency) || !needs_connections {
        return Ok(());
    }
    Err(format!(
        "lower --parallel ({drains}) or SPIN_VARIABLE_MAX_CONCURRENCY ({concurrency}): their product may be at most \
         {MAX_HANDLER_CONNECTIONS} while SPIN_VARIABLE_TASK_HANDLERS names a host outside of the application, because each of \
         these tasks holds one of the host's {MAX_HOST_CONNECTIONS} connections, and storage and idle connections need the rest"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (spin_name(name), (*value).to_owned())).collect()
    }

    #[test]
    fn outside_handlers_leave_connections_to_storage() {
        let outside = r#"{"a":"http://a.spin.internal/","b":"https://work.example.org/run"}"#;
        let inside = r#"{"a":"http://a.spin.internal/"}"#;
        let component = r#"{"a":"resize"}"#;
        for (handlers, concurrency, drains, in_process, usable) in [
            (Some(outside), Some("100"), 2, true, true),
            (Some(outside), Some("101"), 2, true, false),
            (Some(outside), None, 6, true, true),
            (Some(outside), None, 7, true, false),
            (Some(inside), Some("256"), 2, true, true),
            (Some(component), Some("256"), 2, true, true),
            (Some(component), Some("101"), 2, false, false),
            (None, Some("256"), 64, true, true),
            // The worker refuses these.
            (Some("{"), Some("256"), 2, true, true),
            (Some(outside), Some("many"), 2, true, true),
        ] {
            let given = [("task_handlers", handlers), ("max_concurrency", concurrency)];
            let given: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            let environment = environment(&given);
            let read = read(&environment, None).unwrap();
            let checked = check(&read, &environment, drains, in_process);
            assert_eq!(checked.is_ok(), usable, "{handlers:?} {concurrency:?} {drains}");
            if let Err(sentence) = checked {
                assert!(sentence.contains("--parallel") && sentence.contains("200"), "{sentence}");
            }
        }
    }

    #[test]
    fn component_that_is_not_in_the_manifest_is_refused_with_its_name() {
        let manifest = Manifest {
            reachable: ["resize".to_owned()].into(),
            defaults: [("task_handlers".to_owned(), r#"{"image.*":"resize"}"#.to_owned())].into(),
        };
        let of = |value| {
            let given = environment(&[("task_handlers", value)]);
            read(&given, Some(&manifest)).map(|handlers| handlers.components().join(" "))
        };
        assert_eq!(of(r#"{"a":"resize","b":"https://x.example/"}"#).unwrap(), "resize");
        assert_eq!(of("").unwrap(), "resize", "the default of the manifest");
        let sentence = of(r#"{"image.*":{"handler":"crop"}}"#).unwrap_err();
        assert!(sentence.contains(r#""image.*""#) && sentence.contains("[component.crop]"), "{sentence}");
    }

    #[test]
    fn hosts_outside_the_application_are_allowed_once_each() {
        let urls =
            r#"{"a":"https://one.example/x","b":"https://one.example/y","c":"http://two.example:8080/"}"#;
        let of = |more: &[(&str, &str)]| {
            let given = environment(&[&[("task_handlers", urls)], more].concat());
            let variables = host_variables(&read(&given, None).unwrap(), &given)?;
            Ok::<_, String>(
                variables
                    .into_iter()
                    .map(|(name, host)| (name, host.expose().to_owned()))
                    .collect::<Vec<_>>(),
            )
        };
        let pair =
            |letter: char, host: &str| (format!("SPIN_VARIABLE_HANDLER_HOSTS_{letter}"), host.to_owned());
        let (one, two) = ("https://one.example", "http://two.example:8080");
        assert_eq!(of(&[]).unwrap(), [pair('B', two), pair('C', one)]);
        assert_eq!(of(&[("handler_hosts_b", "https://one.example/")]).unwrap(), [pair('C', two)]);
        assert_eq!(of(&[("handler_hosts", "https://*.example")]).unwrap(), []);
        let taken = [("handler_hosts_b", "https://a"), ("handler_hosts_c", "https://b")];
        assert!(of(&taken).unwrap_err().contains("only 1 of"));
    }
}
