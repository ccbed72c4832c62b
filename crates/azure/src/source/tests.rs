use super::*;

const CONNECTION: &str = "AccountName=acct;AccountKey=aGlkZGVu";

/// A configuration from pairs of variable and value.
fn config(pairs: &[(&str, &str)]) -> AccountConfig {
    let mut config = AccountConfig {
        secret_name: "StorageCS".to_owned(),
        secret_max_age: Duration::from_secs(900),
        ..AccountConfig::default()
    };
    for (name, value) in pairs {
        match *name {
            "connection" => config.connection_string = Secret::new(*value),
            "vault" => config.key_vault_url = (*value).to_owned(),
            "secret_name" => config.secret_name = (*value).to_owned(),
            "account" => config.account_name = (*value).to_owned(),
            "blob" => config.blob_endpoint = (*value).to_owned(),
            "queue" => config.queue_endpoint = (*value).to_owned(),
            "client_id" => config.client_id = (*value).to_owned(),
            "endpoint" => config.identity_endpoint = (*value).to_owned(),
            "header" => config.identity_header = Secret::new(*value),
            other => panic!("no variable {other}"),
        }
    }
    config
}

/// The chosen source in one line.
fn decided(pairs: &[(&str, &str)]) -> String {
    match AccountSource::decide(&config(pairs)) {
        Ok(AccountSource::ConnectionString(c)) => {
            format!("connection {} {}", c.blob_endpoint(), c.queue_endpoint())
        }
        Ok(AccountSource::KeyVault { secret, identity }) => {
            format!("vault {} {} {}", secret.vault.url(), secret.name, identity.endpoint.url())
        }
        Ok(AccountSource::Identity { account, .. }) => {
            format!("identity {} {} {}", account.name, account.blob.url(), account.queue.url())
        }
        Err(error) => format!("error {error}"),
    }
}

const MSI: [(&str, &str); 2] = [("endpoint", "http://localhost:42356/msi/token"), ("header", "hidden")];
const VAULT: (&str, &str) = ("vault", "https://v.vault.azure.net");

#[test]
fn first_complete_source_is_chosen() {
    let everything = [&MSI[..], &[VAULT, ("account", "acct"), ("connection", CONNECTION)]].concat();
    let azure = "https://acct.blob.core.windows.net https://acct.queue.core.windows.net";
    let table: [(&[(&str, &str)], String); 8] = [
        (&everything, format!("connection {azure}")),
        (&[("connection", CONNECTION)], format!("connection {azure}")),
        (
            &[("connection", CONNECTION), ("queue", "https://q.example")],
            "connection https://acct.blob.core.windows.net https://q.example".to_owned(),
        ),
        (
            &[MSI[0], MSI[1], VAULT, ("account", "acct")],
            "vault https://v.vault.azure.net StorageCS http://localhost:42356/msi/token".to_owned(),
        ),
        (&[MSI[0], MSI[1], ("account", "acct")], format!("identity acct {azure}")),
        (
            &[MSI[0], MSI[1], ("account", "acct"), ("blob", "https://files.example")],
            "identity acct https://files.example https://acct.queue.core.windows.net".to_owned(),
        ),
        (
            &[
                MSI[0],
                MSI[1],
                ("blob", "https://named.blob.example"),
                ("queue", "https://named.queue.example"),
            ],
            "identity named https://named.blob.example https://named.queue.example".to_owned(),
        ),
        (
            &[
                MSI[0],
                MSI[1],
                ("blob", "http://127.0.0.1:1/emulated"),
                ("queue", "http://127.0.0.1:2/emulated"),
            ],
            "identity emulated http://127.0.0.1:1/emulated http://127.0.0.1:2/emulated".to_owned(),
        ),
    ];
    for (pairs, expected) in table {
        assert_eq!(decided(pairs), expected);
    }
}

#[test]
fn incomplete_configuration_is_refused_with_what_to_add() {
    let table: [(&[(&str, &str)], &str); 14] = [
        (&[], "set storage_connection_string, or key_vault_name, or storage_account_name"),
        (&MSI, "set storage_connection_string, or key_vault_name, or storage_account_name"),
        (&[("connection", "AccountName=hidden")], "storage_connection_string: AccountKey"),
        (
            &[("connection", "AccountName=hidden"), VAULT, MSI[0], MSI[1]],
            "storage_connection_string: AccountKey",
        ),
        (&[("connection", CONNECTION), ("blob", "hidden")], "blob_endpoint"),
        (&[VAULT], "identity_endpoint and identity_header are missing"),
        (&[VAULT, MSI[0]], "identity_header is missing"),
        (&[VAULT, MSI[1]], "identity_endpoint is missing"),
        (&[VAULT, MSI[0], MSI[1], ("secret_name", "")], "storage_secret_name"),
        (&[("vault", "http://hidden.example"), MSI[0], MSI[1]], "key_vault_url must be https"),
        (&[("account", "acct")], "identity_endpoint and identity_header are missing"),
        (
            &[("blob", "https://hidden.example"), MSI[0], MSI[1]],
            "storage_account_name (or queue_endpoint) is missing",
        ),
        (
            &[("account", "acct"), ("queue", "http://hidden.example"), MSI[0], MSI[1]],
            "queue_endpoint must be https",
        ),
        (
            &[("blob", "http://127.0.0.1:1"), ("queue", "http://127.0.0.1:2"), MSI[0], MSI[1]],
            "storage_account_name",
        ),
    ];
    for (pairs, expected) in table {
        let sentence = decided(pairs);
        assert!(sentence.starts_with("error ") && sentence.contains(expected), "{pairs:?}: {sentence}");
        assert!(!sentence.contains("hidden"), "{sentence}");
    }
}
