/// Which component reads a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Both components.
    Both,
    /// The API component.
    Api,
    /// The worker component.
    Worker,
    /// No component: only the manifest uses it, in `allowed_outbound_hosts`.
    Manifest,
}

/// One Spin variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Name. The environment variable is `SPIN_VARIABLE_` followed by the name in capitals.
    pub name: &'static str,
    /// Name in the .NET sample.
    pub original: Option<&'static str>,
    /// Default in the manifest.
    pub default: &'static str,
    /// Accepted values, for `docs/configuration.md` and error messages.
    pub accepted: &'static str,
    /// Whether the value is secret.
    pub secret: bool,
    /// Which component reads it.
    pub role: Role,
}

const fn variable(name: &'static str, role: Role, default: &'static str, accepted: &'static str) -> Variable {
    Variable { name, original: None, default, accepted, secret: false, role }
}

impl Variable {
    const fn was(self, original: &'static str) -> Self {
        Self { original: Some(original), ..self }
    }

    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

/// Accepted values of a variable that names one receiver of events.
const ONE_HOST: &str = "one scheme://host[:port], no path; or empty";

/// The variables that name receivers of events. An entry of `allowed_outbound_hosts` has one host.
pub(super) const CALLBACK_HOSTS: [&str; 4] =
    ["callback_hosts", "callback_hosts_b", "callback_hosts_c", "callback_hosts_d"];

/// All variables. A test compares `spin.toml` and `docs/configuration.md` with this table.
pub const VARIABLES: &[Variable] = &[
    variable("storage_connection_string", Role::Both, "", "a storage connection string, or empty")
        .was("StorageCS")
        .secret(),
    variable("key_vault_name", Role::Both, "", "the name of a Key Vault, or empty").was("keyvault"),
    variable("key_vault_url", Role::Both, "", "https:// and a host, for other clouds; or empty"),
    variable("storage_secret_name", Role::Both, "StorageCS", "1 to 127 letters, digits and hyphens"),
    variable("secret_max_age_seconds", Role::Both, "900", "a whole number from 1 to 86400"),
    variable("storage_account_name", Role::Both, "", "3 to 24 lower-case letters and digits, or empty"),
    variable("blob_endpoint", Role::Both, "", "an absolute http(s) URL, or empty"),
    variable("queue_endpoint", Role::Both, "", "an absolute http(s) URL, or empty"),
    variable("blob_host", Role::Manifest, "http://127.0.0.1:10000", "scheme://host[:port], no path"),
    variable("queue_host", Role::Manifest, "http://127.0.0.1:10001", "scheme://host[:port], no path"),
    variable("key_vault_host", Role::Manifest, "", "scheme://host[:port], no path; or empty"),
    variable("identity_host", Role::Manifest, "", "scheme://host[:port], no path; or empty"),
    variable("handler_hosts", Role::Manifest, "http://*.spin.internal", "one scheme://host[:port], no path"),
    variable("handler_hosts_b", Role::Manifest, "", "one scheme://host[:port], no path; or empty"),
    variable("handler_hosts_c", Role::Manifest, "", "one scheme://host[:port], no path; or empty"),
    variable("handler_hosts_d", Role::Manifest, "", "one scheme://host[:port], no path; or empty"),
    variable(
        "managed_identity_client_id",
        Role::Both,
        "",
        "a client id, or empty for the system-assigned identity",
    )
    .was("AzureADManagedIdentityClientId"),
    variable("identity_endpoint", Role::Both, "", "an absolute http(s) URL, or empty")
        .was("IDENTITY_ENDPOINT"),
    variable("identity_header", Role::Both, "", "what the platform injects, or empty")
        .was("IDENTITY_HEADER")
        .secret(),
    variable(
        "task_queue_name",
        Role::Both,
        "taskqueue",
        "3 to 53 lower-case letters, digits and single hyphens",
    )
    .was("TaskQueueName"),
    variable("priority_queues", Role::Both, "false", "true or false"),
    variable(
        "task_blob_container_name",
        Role::Both,
        "tasks",
        "3 to 56 lower-case letters, digits and single hyphens",
    )
    .was("TaskBlobContainerName"),
    variable("queue_pause", Role::Both, "false", "true or false"),
    variable("schedules", Role::Both, "false", "true or false"),
    variable("log_level", Role::Both, "info", "info, warn or error"),
    variable("sas_token_expiry_minutes", Role::Api, "10", "a decimal number above 0, at most 10080")
        .was("SasTokenExpiry"),
    variable(
        "public_base_url",
        Role::Api,
        "",
        "an absolute http(s) URL, or empty for the request's own host",
    ),
    variable("trust_forwarded", Role::Api, "false", "true or false"),
    variable("api_auth", Role::Api, "none", "none, api-key or easy-auth"),
    variable(
        "api_key_hashes",
        Role::Api,
        "",
        "lower-case hexadecimal SHA-256 digests, comma-separated; needed by api-key",
    ),
    variable(
        "api_operators",
        Role::Api,
        "",
        "comma-separated: digests as in api_key_hashes with api-key, principal ids with easy-auth; or empty",
    ),
    variable("body_limit_bytes", Role::Api, "1048576", "a whole number from 1024 to 67108864"),
    variable("queue_depth_limit", Role::Api, "0", "a whole number; 0 is off"),
    variable("retention_days", Role::Both, "30", "a whole number from 1 to 3650"),
    variable("drain_token", Role::Worker, "", "any text; empty closes the drain route").secret(),
    variable("visibility_timeout_seconds", Role::Worker, "60", "a whole number from 1 to 604800"),
    variable("max_dequeue_count", Role::Worker, "5", "a whole number from 1 to 1000"),
    variable("max_concurrency", Role::Worker, "32", "a whole number from 1 to 256"),
    variable("drain_seconds", Role::Worker, "20", "a whole number from 1 to 3600"),
    variable("task_timeout_seconds", Role::Worker, "1800", "a whole number from 1 to 604800"),
    variable("retry_base_seconds", Role::Worker, "2", "a whole number from 1 to 3600"),
    variable("retry_cap_seconds", Role::Worker, "300", "a whole number from 1 to 604800"),
    variable("sweep_interval_seconds", Role::Worker, "300", "a whole number from 1 to 86400"),
    variable("simulate_unit_ms", Role::Worker, "1000", "a whole number from 1 to 3600000"),
    variable("task_handlers", Role::Both, "{}", "a JSON object, see docs/handlers.md"),
    variable("callback_hosts", Role::Both, "", ONE_HOST),
    variable("callback_hosts_b", Role::Both, "", ONE_HOST),
    variable("callback_hosts_c", Role::Both, "", ONE_HOST),
    variable("callback_hosts_d", Role::Both, "", ONE_HOST),
    variable(
        "callback_secrets",
        Role::Worker,
        "",
        "1 to 4 secrets, each whsec_ and the base64 of 24 to 64 bytes, comma-separated; needed by callback_hosts",
    )
    .secret(),
    variable("callback_max_attempts", Role::Worker, "20", "a whole number from 1 to 1000"),
    // Some receivers have a secret in the query.
    variable(
        "event_sink_url",
        Role::Both,
        "",
        "an absolute http(s) URL without user name and fragment, or empty",
    )
    .secret(),
    variable("event_sink_host", Role::Worker, "", "scheme://host[:port] of event_sink_url, no path; or empty"),
    variable("event_sink_auth", Role::Worker, "none", "none, key or identity"),
    variable("event_sink_key", Role::Worker, "", "an access key of the topic, needed by the auth key; or empty")
        .secret(),
    variable("event_sink_max_attempts", Role::Worker, "20", "a whole number from 1 to 1000"),
    variable("event_sink_progress_seconds", Role::Worker, "10", "a whole number from 0 to 3600; 0 is off"),
    variable("handler_process_host", Role::Worker, "", "http://host:port, which the launcher sets; or empty"),
    variable("handler_watch_host", Role::Worker, "", "http://host:port, which the launcher sets; or empty"),
];
