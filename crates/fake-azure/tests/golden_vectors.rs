//! Signatures that real services accepted: what the fake accepts must be the same.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping, in helpers too")]

use bytes::Bytes;
use fake_azure::{Config, EMULATOR_ACCOUNT, EMULATOR_KEY, FakeAzure};
use http::{Request, Response, StatusCode};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-11-20 10:00:00 UTC);
const DATE: &str = "Fri, 20 Nov 2026 10:00:00 GMT";

fn fake() -> FakeAzure {
    FakeAzure::new(Config::default()).unwrap()
}

fn request(method: &str, uri: &str, signature: &str) -> http::request::Builder {
    let account = if uri.contains("myaccount") { "myaccount" } else { EMULATOR_ACCOUNT };
    Request::builder()
        .method(method)
        .uri(uri)
        .header("x-ms-date", DATE)
        .header("x-ms-version", "2023-11-03")
        .header("authorization", format!("SharedKey {account}:{signature}"))
}

fn code(response: &Response<Bytes>) -> &str {
    response.headers().get("x-ms-error-code").map_or("", |code| code.to_str().unwrap())
}

#[test]
fn signed_get_messages_is_accepted_on_path_style_addresses() {
    let mut fake = fake();
    fake.put_message(EMULATOR_ACCOUNT, "jobs", "hello", NOW);
    let uri = "http://127.0.0.1:10001/devstoreaccount1/jobs/messages?numofmessages=16&visibilitytimeout=60";
    let good =
        || request("GET", uri, "FJeV9af/mhO6eMdR2KSifRnh3UWpYhoxO2ebkjapOQA=").body(Bytes::new()).unwrap();
    let response = fake.handle(good(), NOW);
    assert_eq!(response.status(), StatusCode::OK);
    assert!(String::from_utf8_lossy(response.body()).contains("<MessageText>hello</MessageText>"));

    let late = fake.handle(good(), NOW + Duration::minutes(15) + Duration::SECOND);
    assert_eq!((late.status(), code(&late)), (StatusCode::FORBIDDEN, "AuthenticationFailed"));
    let wrong =
        request("GET", uri, "FJeV9af/mhO6eMdR2KSifRnh3UWpYhoxO2ebkjapOQB=").body(Bytes::new()).unwrap();
    assert_eq!(fake.handle(wrong, NOW).status(), StatusCode::FORBIDDEN);
    let other_query = uri.replace("=16", "=17");
    let wrong = request("GET", &other_query, "FJeV9af/mhO6eMdR2KSifRnh3UWpYhoxO2ebkjapOQA=")
        .body(Bytes::new())
        .unwrap();
    assert_eq!(fake.handle(wrong, NOW).status(), StatusCode::FORBIDDEN);
}

#[test]
fn signed_get_messages_is_accepted_on_host_style_addresses() {
    let mut config = Config::default();
    config.accounts.insert("myaccount".to_owned(), vec![EMULATOR_KEY.to_owned()]);
    let mut fake = FakeAzure::new(config).unwrap();
    fake.put_message("myaccount", "jobs", "hello", NOW);
    let uri = "https://myaccount.queue.core.windows.net/jobs/messages?visibilitytimeout=60&numofmessages=16";
    let request =
        request("GET", uri, "YsAeQHXLn44RJgrtaUdaixan6Sx1af+j/jtO5arSIwI=").body(Bytes::new()).unwrap();
    assert_eq!(fake.handle(request, NOW).status(), StatusCode::OK);
}

#[test]
fn signed_conditional_put_blob_is_accepted_once() {
    let mut fake = fake();
    fake.put_blob(EMULATOR_ACCOUNT, "results", "other", "", "text/plain", NOW);
    let put = || {
        let uri = "http://127.0.0.1:10000/devstoreaccount1/results/t1/j1.json";
        request("PUT", uri, "W+mob67tI6IQB3cqDTKefBnFxGk9zwzI+2d1p+vOjwM=")
            .header("content-length", 11)
            .header("content-type", "application/json")
            .header("if-none-match", "*")
            .header("x-ms-blob-type", "BlockBlob")
            .body(Bytes::from_static(b"{\"a\":\"bcd\"}"))
            .unwrap()
    };
    assert_eq!(fake.handle(put(), NOW).status(), StatusCode::CREATED);
    let again = fake.handle(put(), NOW);
    assert_eq!((again.status(), code(&again)), (StatusCode::CONFLICT, "BlobAlreadyExists"));
}

#[test]
fn service_sas_reads_its_blob_alone_until_it_expires() {
    let mut fake = fake();
    for name in ["m", "n"] {
        fake.put_blob(EMULATOR_ACCOUNT, "cont", name, "content", "text/plain", NOW);
    }
    let sas = "sv=2020-12-06&sr=b&sp=r&se=2099-01-01T00%3A00%3A00Z&spr=https%2Chttp\
               &sig=ktBGxhYVIpwyWMaq%2BJRCybE%2F9aKqlq%2FqtstTShVry5Q%3D";
    let mut ask = |method: &str, name: &str, sas: &str, now| {
        let uri = format!("http://127.0.0.1:10000/devstoreaccount1/cont/{name}?{sas}");
        let response =
            fake.handle(Request::builder().method(method).uri(uri).body(Bytes::new()).unwrap(), now);
        (response.status().as_u16(), code(&response).to_owned())
    };
    assert_eq!(ask("GET", "m", sas, NOW), (200, String::new()));
    let refused = |status, code: &str| (status, code.to_owned());
    assert_eq!(ask("GET", "n", sas, NOW), refused(403, "AuthenticationFailed"));
    assert_eq!(ask("DELETE", "m", sas, NOW), refused(403, "AuthorizationPermissionMismatch"));
    assert_eq!(ask("GET", "m", sas, datetime!(2099-01-01 0:00 UTC)), refused(403, "AuthenticationFailed"));
    assert_eq!(ask("GET", "m", &sas.replace("2099", "2100"), NOW), refused(403, "AuthenticationFailed"));
    assert_eq!(ask("GET", "m", &sas.replace("sp=r", "sp=rd"), NOW), refused(403, "AuthenticationFailed"));
    assert_eq!(ask("GET", "m", "", NOW), refused(409, "PublicAccessNotPermitted"));
}

#[test]
fn signer_makes_the_signature_that_azure_accepts() {
    let uri = "http://127.0.0.1:10001/devstoreaccount1/jobs/messages?numofmessages=16&visibilitytimeout=60";
    let mut request = Request::get(uri).body(Bytes::new()).unwrap();
    fake().sign(&mut request, NOW);
    assert_eq!(request.headers()["x-ms-date"], DATE);
    let expected = "SharedKey devstoreaccount1:FJeV9af/mhO6eMdR2KSifRnh3UWpYhoxO2ebkjapOQA=";
    assert_eq!(request.headers()["authorization"], expected);
}
