//! The services behind the network, and the variables with which the components reach them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fake_azure::{Config, EMULATOR_ACCOUNT, EMULATOR_KEY, FakeAzure, Identity, Service};
use http::{Request, Response};
use time::OffsetDateTime;

use crate::call::{
    BLOB_ENDPOINT, HANDLER_PROCESS, HANDLER_URL, IDENTITY_ENDPOINT, QUEUE_ENDPOINT, TASK_QUEUES, VAULT_URL,
};
use crate::random::Rng;
use crate::receive::{MAX_ATTEMPTS, RECEIVER_HOST, RECEIVER_SECRET, SINK_HOST};
use crate::scenario::{Credential, Knobs, Scenario};
use crate::secrets::Secrets;

/// What the drain route expects.
pub const DRAIN_TOKEN: &str = "drain-token-of-the-simulation";
const IDENTITY_HEADER: &str = "identity-header-of-the-simulation";
const CLIENT_ID: &str = "5f0c7f6a-1111-4222-8333-9a8b7c6d5e4f";
const VAULT: &str = "vault";

/// The services.
pub struct Cloud {
    fake: Option<FakeAzure>,
    key_text: String,
    credential: Credential,
}

impl Cloud {
    /// The services of `scenario`, empty.
    pub fn new(scenario: &Scenario, secrets: &mut Secrets) -> Self {
        let credential = scenario.knobs.credential;
        let mut config = Config {
            seed: scenario.seed,
            identity_header: IDENTITY_HEADER.to_owned(),
            identities: vec![Identity::user_assigned(CLIENT_ID, "0b1e-object")],
            ..Config::default()
        };
        config.endpoints.insert("127.0.0.1:10003".to_owned(), Service::Identity);
        config.endpoints.insert("127.0.0.1:10004".to_owned(), Service::Vault);
        config.vaults = BTreeMap::from([(
            VAULT.to_owned(),
            BTreeMap::from([("StorageCS".to_owned(), connection_string(EMULATOR_KEY))]),
        )]);
        for secret in [EMULATOR_KEY, DRAIN_TOKEN, IDENTITY_HEADER, RECEIVER_SECRET] {
            secrets.add(secret);
        }
        Self { fake: FakeAzure::new(config).ok(), key_text: EMULATOR_KEY.to_owned(), credential }
    }

    /// Responds to `request` at storage's time `now`.
    pub fn respond(&mut self, request: Request<Bytes>, now: OffsetDateTime) -> Response<Bytes> {
        match &mut self.fake {
            Some(fake) => fake.handle(request, now),
            None => Response::default(),
        }
    }

    /// Signs a request of a writer that holds the account key.
    pub fn sign(&self, request: &mut Request<Bytes>, now: OffsetDateTime) {
        if let Some(fake) = &self.fake {
            fake.sign(request, now);
        }
    }

    /// Exchanges the account's keys, or what takes their place.
    pub fn rotate(&mut self, rng: &mut Rng, secrets: &mut Secrets) {
        let bytes: Vec<u8> = (0..8).flat_map(|_| rng.bits().to_le_bytes()).collect();
        let text = STANDARD.encode(bytes);
        secrets.add(&text);
        let Some(fake) = &mut self.fake else { return };
        match self.credential {
            Credential::Keyless => fake.revoke_tokens(),
            Credential::SharedKey | Credential::KeyVault => {
                if fake.set_keys(EMULATOR_ACCOUNT, &[&text]).is_ok() {
                    fake.set_secret(VAULT, "StorageCS", Some(&connection_string(&text)));
                    self.key_text = text;
                }
            }
        }
    }

    /// Ends the invisibility of all messages early, as skewed clocks inside the service do.
    pub fn reveal(&mut self, now: OffsetDateTime) {
        if let Some(fake) = &mut self.fake {
            for queue in TASK_QUEUES {
                fake.reveal_messages(EMULATOR_ACCOUNT, queue, now);
            }
        }
    }

    /// What a variable of the components is set to; `None` is its default.
    #[must_use]
    pub fn variable(&self, name: &str, knobs: &Knobs) -> Option<String> {
        let storage = match (self.credential, name) {
            (Credential::SharedKey, "storage_connection_string") => Some(connection_string(&self.key_text)),
            (Credential::KeyVault, "key_vault_url") => Some(VAULT_URL.to_owned()),
            (Credential::Keyless, "storage_account_name") => Some(EMULATOR_ACCOUNT.to_owned()),
            (Credential::Keyless, "blob_endpoint") => Some(BLOB_ENDPOINT.to_owned()),
            (Credential::Keyless, "queue_endpoint") => Some(QUEUE_ENDPOINT.to_owned()),
            (Credential::KeyVault | Credential::Keyless, "identity_endpoint") => {
                Some(IDENTITY_ENDPOINT.to_owned())
            }
            (Credential::KeyVault | Credential::Keyless, "identity_header") => {
                Some(IDENTITY_HEADER.to_owned())
            }
            (Credential::KeyVault | Credential::Keyless, "managed_identity_client_id") => {
                Some(CLIENT_ID.to_owned())
            }
            _ => None,
        };
        storage.or_else(|| {
            Some(match name {
                "drain_token" => DRAIN_TOKEN.to_owned(),
                "visibility_timeout_seconds" => knobs.visibility.to_string(),
                "max_dequeue_count" => knobs.max_dequeue_count.to_string(),
                "max_concurrency" => knobs.max_concurrency.to_string(),
                "drain_seconds" => knobs.drain_seconds.to_string(),
                "task_timeout_seconds" => knobs.task_timeout.to_string(),
                "retry_base_seconds" => knobs.retry_base.to_string(),
                "retry_cap_seconds" => knobs.retry_cap.to_string(),
                "sweep_interval_seconds" => knobs.sweep_interval.to_string(),
                "retention_days" => knobs.retention_days.to_string(),
                "queue_depth_limit" => knobs.queue_depth_limit.to_string(),
                "priority_queues" => knobs.priority_queues.to_string(),
                "simulate_unit_ms" => "60".to_owned(),
                "queue_pause" => "true".to_owned(),
                "schedules" => knobs.schedules.to_string(),
                "public_base_url" => "http://api.test".to_owned(),
                "task_handlers" => task_handlers(knobs),
                "callback_hosts" if knobs.events => RECEIVER_HOST.to_owned(),
                "callback_secrets" if knobs.events => RECEIVER_SECRET.to_owned(),
                "callback_max_attempts" if knobs.events => MAX_ATTEMPTS.to_string(),
                "event_sink_url" if !knobs.sink.is_empty() => format!("{SINK_HOST}/api/events"),
                "event_sink_host" if !knobs.sink.is_empty() => SINK_HOST.to_owned(),
                "event_sink_max_attempts" => MAX_ATTEMPTS.to_string(),
                "handler_process_host" if knobs.isolated => HANDLER_PROCESS.to_owned(),
                _ => return None,
            })
        })
    }
}

fn task_handlers(knobs: &Knobs) -> String {
    let handler = if knobs.isolated { "scripted" } else { HANDLER_URL };
    let limit = match knobs.scripted_concurrency {
        0 => String::new(),
        most => format!(r#","max_concurrency":{most}"#),
    };
    // With a limit above 8 MiB, results are stored while they arrive.
    format!(r#"{{"script*":{{"handler":"{handler}","max_result_bytes":16777216{limit}}}}}"#)
}

fn connection_string(key: &str) -> String {
    format!(
        "DefaultEndpointsProtocol=http;AccountName={EMULATOR_ACCOUNT};AccountKey={key};\
         BlobEndpoint={BLOB_ENDPOINT};QueueEndpoint={QUEUE_ENDPOINT};"
    )
}
