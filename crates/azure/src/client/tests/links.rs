use super::*;

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn query(url: &str) -> Vec<(String, String)> {
    let (_, query) = url.split_once('?').unwrap();
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(n, v)| (n.to_owned(), decoded(v)))
        .collect()
}

fn value(url: &str, name: &str) -> String {
    query(url).into_iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
}

#[test]
fn link_signed_with_a_key_needs_no_request() {
    let script = Script::new(|_| ScriptedResponse::status(500));
    let storage = keyed(&script);
    let link = script.run(storage.blob_read_sas("tasks", "a b/ü-202", Duration::from_millis(1500))).unwrap();
    assert!(
        link.starts_with(
            "https://acct.blob.core.windows.net/tasks/a%20b/%C3%BC-202?sv=2023-11-03&sr=b&sp=r&"
        ),
        "{link}"
    );
    assert_eq!(value(&link, "se"), "2026-11-20T10:00:02Z");
    assert_eq!(value(&link, "spr"), "https");
    assert_eq!(script.seen().len(), 0);
    let plain = script.run(storage.blob_address("tasks", "a b/ü-202")).unwrap();
    assert_eq!(plain, "https://acct.blob.core.windows.net/tasks/a%20b/%C3%BC-202");
}

#[test]
fn link_to_an_endpoint_without_tls_allows_http() {
    let script = Script::new(|_| ScriptedResponse::status(500));
    let emulator = AccountConfig { connection_string: Secret::new("UseDevelopmentStorage=true"), ..config() };
    let link = script.run(open(&script, &emulator).blob_read_sas("tasks", "m", TEN_MINUTES)).unwrap();
    assert!(link.starts_with("http://127.0.0.1:10000/devstoreaccount1/tasks/m?"), "{link}");
    assert_eq!(value(&link, "spr"), "https,http");
}

#[test]
fn sas_credential_is_never_published() {
    let script = Script::new(|_| ScriptedResponse::status(500));
    let sas = "SharedAccessSignature=sv=1&sp=r&sig=hidden;AccountName=acct";
    let storage = open(&script, &AccountConfig { connection_string: Secret::new(sas), ..config() });
    let error = script.run(storage.blob_read_sas("tasks", "m", TEN_MINUTES)).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Configuration(sentence) if sentence.contains("AccountKey")),
        "{error}"
    );
    let address = script.run(storage.blob_address("tasks", "m")).unwrap();
    assert_eq!(address, "https://acct.blob.core.windows.net/tasks/m");
}

/// The identity endpoint, and a Blob service that issues the requested delegation keys.
fn delegating(request: &Request<Bytes>) -> ScriptedResponse {
    if is_for(request, "localhost") {
        return token("t", 86_400);
    }
    let body = std::str::from_utf8(request.body()).unwrap();
    let between =
        |from: &str, to: &str| body.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    ScriptedResponse::status(200).after(1).body(&format!(
        "<UserDelegationKey><SignedOid>o</SignedOid><SignedTid>t</SignedTid><SignedStart>{}</SignedStart>\
         <SignedExpiry>{}</SignedExpiry><SignedService>b</SignedService><SignedVersion>2023-11-03</SignedVersion>\
         <Value>MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=</Value></UserDelegationKey>",
        between("<Start>", "</Start>"),
        between("<Expiry>", "</Expiry>")
    ))
}

#[test]
fn many_links_share_one_delegation_key() {
    let script = Script::new(delegating);
    let storage = keyless(&script);
    let links = (0..40).map(|_| storage.blob_read_sas("tasks", "m", TEN_MINUTES));
    let links: Vec<_> = script.run(join_all(links)).into_iter().map(Result::unwrap).collect();
    assert_eq!(script.seen(), ["10:00:00 GET localhost/msi/token", "10:00:00 POST acct/"]);
    assert_eq!(value(&links[0], "skt"), "2026-11-20T09:55:00Z");
    assert_eq!(value(&links[0], "ske"), "2026-11-20T12:10:00Z");
    assert_eq!(value(&links[0], "se"), "2026-11-20T10:10:00Z");
    assert_eq!(value(&links[0], "skoid"), "o");

    script.advance(2 * 3600 - 60);
    let link = script.run(storage.blob_read_sas("tasks", "m", TEN_MINUTES)).unwrap();
    assert_eq!(script.seen().len(), 0);
    assert!(value(&link, "se") <= value(&link, "ske"));
    script.advance(60);
    let link = script.run(storage.blob_read_sas("tasks", "m", TEN_MINUTES)).unwrap();
    assert_eq!(script.seen(), ["12:00:01 POST acct/"]);
    assert_eq!(value(&link, "ske"), "2026-11-20T14:10:01Z");
}

#[test]
fn week_long_links_expire_with_the_longest_key() {
    let script = Script::new(delegating);
    let storage = keyless(&script);
    let week = Duration::from_secs(7 * 86_400);
    for _ in 0..5 {
        script.advance(60);
        let link = script.run(storage.blob_read_sas("tasks", "m", week)).unwrap();
        assert_eq!(value(&link, "se"), "2026-11-27T09:46:00Z");
        assert_eq!(value(&link, "se"), value(&link, "ske"));
    }
    assert_eq!(script.seen().len(), 2, "one token, one key");
}

#[test]
fn missing_delegation_role_is_an_error_without_repeated_requests() {
    let script = Script::new(|request| match is_for(request, "localhost") {
        true => token("t", 86_400),
        false => ScriptedResponse::status(403).header("x-ms-error-code", "AuthorizationPermissionMismatch"),
    });
    let storage = keyless(&script);
    for _ in 0..10 {
        let error = script.run(storage.blob_read_sas("tasks", "m", TEN_MINUTES)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Get User Delegation Key: Blob Storage refused the credentials (403 AuthorizationPermissionMismatch)"
        );
    }
    assert_eq!(script.seen().len(), 2);
}
