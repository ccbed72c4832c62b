//! Which Spin variables follow from the platform's environment. Pure: reads nothing, sets nothing.

use std::collections::BTreeMap;

use azure::Secret;

use crate::hosts::{self, Service};

/// Sets the Spin variable of the name that follows, in capitals.
pub const PREFIX: &str = "SPIN_VARIABLE_";

/// Names of the platform and of the .NET sample, and the Spin variable each becomes. They are compared without
/// case, as the .NET configuration system does.
const VARIABLES: [(&str, &str); 8] = [
    ("IDENTITY_ENDPOINT", "identity_endpoint"),
    ("IDENTITY_HEADER", "identity_header"),
    ("AzureADManagedIdentityClientId", "managed_identity_client_id"),
    ("StorageCS", "storage_connection_string"),
    ("keyvault", "key_vault_name"),
    ("TaskQueueName", "task_queue_name"),
    ("TaskBlobContainerName", "task_blob_container_name"),
    ("SasTokenExpiry", "sas_token_expiry_minutes"),
];

/// Additions to the environment of the host, with warnings for the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Additions {
    /// Environment variables to set, `SPIN_VARIABLE_…`. All are treated as secret, since some are.
    pub variables: BTreeMap<String, Secret>,
    /// Sentences about what could not be derived.
    pub warnings: Vec<String>,
}

impl Additions {
    /// The names that will be set, without values.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.variables.keys().map(String::as_str).collect()
    }
}

/// The environment variable that sets the Spin variable `name`.
#[must_use]
pub fn spin_name(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

/// Derives the additions to `environment`. A variable that is set there, even to an empty value, is never
/// overridden.
#[must_use]
pub fn additions(environment: &BTreeMap<String, String>) -> Additions {
    let mut derivation = Derivation { environment, additions: Additions::default() };
    for (original, name) in VARIABLES {
        if let Some(value) = value_of(environment, original) {
            derivation.set(name, value);
        }
    }
    derivation.derive_hosts();
    derivation.additions
}

/// The value of a name, an exact match before one that differs in case; empty is the same as absent.
fn value_of<'a>(environment: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let exact = environment.get(name);
    let any_case =
        || environment.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    exact.or_else(any_case).map(String::as_str).filter(|value| !value.is_empty())
}

struct Derivation<'a> {
    environment: &'a BTreeMap<String, String>,
    additions: Additions,
}

impl Derivation<'_> {
    fn set(&mut self, name: &str, value: &str) {
        let key = spin_name(name);
        if !self.environment.contains_key(&key) {
            self.additions.variables.insert(key, Secret::new(value));
        }
    }

    /// The value that the host will get, empty when there is none.
    fn get(&self, name: &str) -> Secret {
        let key = spin_name(name);
        match self.environment.get(&key) {
            Some(value) => Secret::new(value.as_str()),
            None => self.additions.variables.get(&key).cloned().unwrap_or_default(),
        }
    }

    fn derive_hosts(&mut self) {
        let connection_string = self.get("storage_connection_string");
        let account = self.get("storage_account_name");
        for (service, endpoint, host) in
            [(Service::Blob, "blob_endpoint", "blob_host"), (Service::Queue, "queue_endpoint", "queue_host")]
        {
            let endpoint = self.get(endpoint);
            let derived = hosts::storage(service, endpoint.expose(), &connection_string, account.expose());
            self.set_host(host, derived);
        }
        let (url, name) = (self.get("key_vault_url"), self.get("key_vault_name"));
        self.set_host("key_vault_host", hosts::key_vault(url.expose(), name.expose()));
        self.set_host("identity_host", hosts::identity(self.get("identity_endpoint").expose()));

        self.set_host("event_sink_host", hosts::event_sink(self.get("event_sink_url").expose()));

        let vault_given = !(url.is_empty() && name.is_empty());
        if vault_given
            && connection_string.is_empty()
            && !(self.is_set("blob_host") && self.is_set("queue_host"))
        {
            self.additions.warnings.push(
                "the connection string is in the key vault, so the account's hosts are not known before the host \
                 starts, and the manifest's defaults allow only a local emulator: set \
                 SPIN_VARIABLE_STORAGE_ACCOUNT_NAME, or SPIN_VARIABLE_BLOB_HOST and SPIN_VARIABLE_QUEUE_HOST"
                    .to_owned(),
            );
        }
    }

    fn is_set(&self, name: &str) -> bool {
        let key = spin_name(name);
        self.environment.contains_key(&key) || self.additions.variables.contains_key(&key)
    }

    fn set_host(&mut self, host: &str, derived: Result<Option<String>, String>) {
        match derived {
            Ok(Some(origin)) => self.set(host, &origin),
            Ok(None) => {}
            Err(_) if self.is_set(host) => {}
            Err(sentence) => {
                self.additions.warnings.push(format!("{} cannot be derived: {sentence}", spin_name(host)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2VjcmV0LWtleS1vZi10aGUtdGVzdA==";

    /// Names and values.
    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn added(environment: &[(&str, &str)]) -> Vec<(String, String)> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let additions = additions(&environment);
        assert_eq!(additions.warnings, Vec::<String>::new());
        additions
            .variables
            .into_iter()
            .map(|(key, value)| (key.replace(PREFIX, ""), value.expose().to_owned()))
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn nothing_is_added_to_an_empty_environment() {
        assert_eq!(added(&[("PATH", "/bin"), ("StorageCS", "")]), []);
    }

    #[test]
    fn names_of_the_platform_and_the_original_are_mapped() {
        let table: [(Pairs, Pairs); 8] = [
            (
                &[("IDENTITY_ENDPOINT", "http://localhost:42356/msi/token"), ("IDENTITY_HEADER", "h")],
                &[
                    ("IDENTITY_ENDPOINT", "http://localhost:42356/msi/token"),
                    ("IDENTITY_HEADER", "h"),
                    ("IDENTITY_HOST", "http://localhost:42356"),
                ],
            ),
            (&[("AzureADManagedIdentityClientId", "id")], &[("MANAGED_IDENTITY_CLIENT_ID", "id")]),
            (&[("AZUREADMANAGEDIDENTITYCLIENTID", "id")], &[("MANAGED_IDENTITY_CLIENT_ID", "id")]),
            (
                &[("StorageCS", "UseDevelopmentStorage=true")],
                &[
                    ("BLOB_HOST", "http://127.0.0.1:10000"),
                    ("QUEUE_HOST", "http://127.0.0.1:10001"),
                    ("STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true"),
                ],
            ),
            (
                &[("keyvault", "v"), ("SPIN_VARIABLE_STORAGE_ACCOUNT_NAME", "acct")],
                &[
                    ("BLOB_HOST", "https://acct.blob.core.windows.net"),
                    ("KEY_VAULT_HOST", "https://v.vault.azure.net"),
                    ("KEY_VAULT_NAME", "v"),
                    ("QUEUE_HOST", "https://acct.queue.core.windows.net"),
                ],
            ),
            (
                &[("TaskQueueName", "q"), ("TaskBlobContainerName", "c")],
                &[("TASK_BLOB_CONTAINER_NAME", "c"), ("TASK_QUEUE_NAME", "q")],
            ),
            (&[("SasTokenExpiry", "15")], &[("SAS_TOKEN_EXPIRY_MINUTES", "15")]),
            (
                &[("SPIN_VARIABLE_EVENT_SINK_URL", "https://Topic.example/api/events?x=1")],
                &[("EVENT_SINK_HOST", "https://topic.example")],
            ),
        ];
        for (environment, expected) in table {
            assert_eq!(added(environment), pairs(expected), "{environment:?}");
        }
    }

    #[test]
    fn variable_that_is_set_is_never_overridden() {
        let environment = [
            ("IDENTITY_ENDPOINT", "http://localhost:1/msi/token"),
            ("SPIN_VARIABLE_IDENTITY_ENDPOINT", "http://127.0.0.1:2/other"),
            ("SPIN_VARIABLE_IDENTITY_HEADER", ""),
            ("IDENTITY_HEADER", "h"),
            ("StorageCS", "UseDevelopmentStorage=true"),
            ("SPIN_VARIABLE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=a2V5"),
            ("SPIN_VARIABLE_QUEUE_HOST", "http://proxy:1"),
        ];
        let expected =
            [("BLOB_HOST", "https://a.blob.core.windows.net"), ("IDENTITY_HOST", "http://127.0.0.1:2")];
        assert_eq!(added(&environment), pairs(&expected));
    }

    #[test]
    fn underivable_host_is_a_warning_without_values() {
        let table: [(Pairs, &str); 3] = [
            (
                &[(
                    "StorageCS",
                    "AccountName=a;AccountKey=c2VjcmV0LWtleS1vZi10aGUtdGVzdA==;BlobEndpoint=no url",
                )],
                "SPIN_VARIABLE_BLOB_HOST",
            ),
            (&[("keyvault", "v")], "SPIN_VARIABLE_STORAGE_ACCOUNT_NAME"),
            (&[("IDENTITY_ENDPOINT", "localhost")], "SPIN_VARIABLE_IDENTITY_HOST"),
        ];
        for (environment, words) in table {
            let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let additions = additions(&environment);
            let all = additions.warnings.join("\n");
            assert!(all.contains(words), "{all}");
            assert!(!all.contains(KEY), "{all}");
            assert!(!format!("{additions:?}").contains(KEY));
        }
    }
}
