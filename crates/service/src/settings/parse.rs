use std::time::Duration;

use azure::Secret;
use lifecycle::handler_limit;

use super::error::SettingsError;
use super::reader::Reader;
use super::{ApiSettings, StorageSettings, WorkerSettings};

/// Accepted values of `max_concurrency` according to [`handler_limit::fits`].
const BESIDE_OUTSIDE_HANDLERS: &str = "at most 200 while task_handlers names a host outside of the application, \
     because each of these tasks holds one of the host's 1024 connections, and storage and idle connections need the rest";

/// The size of the parts of a large result: as the client libraries of storage have it, and 50,000 blocks suffice for all.
const RESULT_PART_BYTES: usize = 4 * 1024 * 1024;

/// Parses minutes as a decimal number, to the millisecond. Parsed by hand, because the floating-point parser of the
/// standard library would be one fortieth of the component.
fn minutes(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = whole.parse().ok().filter(|minutes| *minutes <= 1_000_000)?;
    // Five digits are finer than a millisecond.
    let thousandths: u64 = format!("{fraction:0<5.5}").parse().ok()?;
    Some(Duration::from_millis(whole * 60_000 + thousandths * 60_000 / 100_000))
}

impl ApiSettings {
    /// Reads the variables of the API component.
    ///
    /// # Errors
    /// The first invalid variable.
    pub fn from_variables(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let reader = Reader::new(lookup);
        let sas_lifetime = minutes(&reader.text("sas_token_expiry_minutes"))
            .filter(|lifetime| !lifetime.is_zero() && *lifetime <= Duration::from_secs(10_080 * 60))
            .unwrap_or_else(|| {
                reader.refuse("sas_token_expiry_minutes", "it is outside that range, or no such number");
                Duration::ZERO
            });
        let mut auth = reader.auth();
        let operators = reader.operators(&mut auth);
        let depth = reader.number("queue_depth_limit", 0..=u64::MAX);
        let settings = Self {
            storage: reader.storage(),
            sas_lifetime,
            public_base_url: Some(reader.url("public_base_url")).filter(|url| !url.is_empty()),
            trust_forwarded: reader.flag("trust_forwarded"),
            auth,
            operators,
            body_limit: reader.size("body_limit_bytes", 1024..=67_108_864),
            queue_depth_limit: Some(depth).filter(|depth| *depth > 0),
            retention: reader.retention(),
            queue_pause: reader.flag("queue_pause"),
            schedules: reader.flag("schedules"),
            log_level: reader.log_level(),
            handlers: reader.handlers(),
            callback_hosts: reader.callback_hosts(),
            sink_events: reader.address("event_sink_url").is_some(),
        };
        reader.checked(settings)
    }
}

impl WorkerSettings {
    /// Reads the variables of the worker component.
    ///
    /// # Errors
    /// The first invalid variable.
    pub fn from_variables(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let reader = Reader::new(lookup);
        let handlers = reader.handlers();
        let handler_process = reader.origin("handler_process_host");
        let handler_watch = reader.origin("handler_watch_host");
        let max_concurrency = reader.size("max_concurrency", 1..=256);
        let is_process_used = !handler_process.is_empty() && !handlers.components().is_empty();
        if (is_process_used || handlers.urls().any(handler_limit::is_outside))
            && !handler_limit::fits(1, max_concurrency)
        {
            reader.note(SettingsError {
                name: "max_concurrency",
                accepted: BESIDE_OUTSIDE_HANDLERS,
                why: "it is above that".to_owned(),
            });
        }
        let unit = reader.number("simulate_unit_ms", 1..=3_600_000);
        let visibility = reader.seconds("visibility_timeout_seconds", 1..=604_800);
        // A delivery that fails is released while its lease is valid.
        let storage = StorageSettings { deadline: Some(visibility / 2), ..reader.storage() };
        let sink = reader.sink(&storage.account);
        let settings = Self {
            storage,
            drain_token: Secret::new(reader.text("drain_token")),
            visibility,
            max_dequeue_count: reader.count("max_dequeue_count", 1..=1000),
            max_concurrency,
            drain_budget: reader.seconds("drain_seconds", 1..=3600),
            task_timeout: reader.seconds("task_timeout_seconds", 1..=604_800),
            retry_base: reader.seconds("retry_base_seconds", 1..=3600),
            retry_cap: reader.seconds("retry_cap_seconds", 1..=604_800),
            retention: reader.retention(),
            sweep_interval: reader.seconds("sweep_interval_seconds", 1..=86_400),
            simulate_unit: Duration::from_millis(unit),
            queue_pause: reader.flag("queue_pause"),
            schedules: reader.flag("schedules"),
            log_level: reader.log_level(),
            handlers,
            callbacks: reader.callbacks(),
            sink,
            handler_process,
            result_part_bytes: RESULT_PART_BYTES,
            handler_watch,
        };
        reader.checked(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_read_to_the_millisecond() {
        for (text, millis) in [
            ("10", Some(600_000)),
            ("0.5", Some(30_000)),
            ("0.001", Some(60)),
            ("1.123456789", Some(67_407)),
            ("10080.0", Some(604_800_000)),
            ("", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("1e3", None),
            ("1.5.2", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(minutes(text), millis.map(Duration::from_millis), "{text}");
        }
        let set = |value: &'static str| {
            ApiSettings::from_variables(&|name| {
                (name == "sas_token_expiry_minutes").then(|| value.to_owned())
            })
        };
        assert!(set("10080").is_ok() && set("0.01").is_ok());
        assert!(set("10080.1").is_err() && set("0").is_err() && set("0.0").is_err());
    }
}
