use proptest::prelude::*;

use super::*;

const KEY: &str = "c2VjcmV0LWtleQ==";

fn parsed(text: &str) -> Account {
    ConnectionString::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).0
}

#[test]
fn every_documented_form_is_parsed() {
    let azure = "https://acct.blob.core.windows.net";
    let table = [
        (format!("AccountName=acct;AccountKey={KEY}"), azure, "https://acct.queue.core.windows.net"),
        (format!("accountname = acct ; ACCOUNTKEY = {KEY} ;"), azure, "https://acct.queue.core.windows.net"),
        (
            format!(";DefaultEndpointsProtocol=HTTP;AccountName=acct;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn;"),
            "http://acct.blob.core.chinacloudapi.cn",
            "http://acct.queue.core.chinacloudapi.cn",
        ),
        (
            format!("AccountName=acct;AccountKey={KEY};BlobEndpoint=https://files.example/;TableEndpoint=https://t"),
            "https://files.example",
            "https://acct.queue.core.windows.net",
        ),
        (
            "UseDevelopmentStorage=true".to_owned(),
            "http://127.0.0.1:10000/devstoreaccount1",
            "http://127.0.0.1:10001/devstoreaccount1",
        ),
        (
            "usedevelopmentstorage=TRUE;DevelopmentStorageProxyUri=http://azurite:9999/".to_owned(),
            "http://azurite:10000/devstoreaccount1",
            "http://azurite:10001/devstoreaccount1",
        ),
        (
            "SharedAccessSignature=?sv=2023-11-03&sig=a%3D;BlobEndpoint=https://b.example;QueueEndpoint=https://q.example".to_owned(),
            "https://b.example",
            "https://q.example",
        ),
        ("SharedAccessSignature=sv=1&sig=a;AccountName=acct".to_owned(), azure, "https://acct.queue.core.windows.net"),
        (
            format!("\n DefaultEndpointsProtocol=http;AccountName={EMULATOR_ACCOUNT};AccountKey={EMULATOR_KEY};\
                 BlobEndpoint=http://127.0.0.1:1/devstoreaccount1;QueueEndpoint=http://127.0.0.1:2/devstoreaccount1;\n"),
            "http://127.0.0.1:1/devstoreaccount1",
            "http://127.0.0.1:2/devstoreaccount1",
        ),
    ];
    for (text, blob, queue) in table {
        let account = parsed(&text);
        assert_eq!((account.blob.url(), account.queue.url()), (blob, queue), "{text}");
    }
}

#[test]
fn emulator_shortcut_equals_its_full_string() {
    let full = format!(
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={EMULATOR_KEY};\
         BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    );
    assert_eq!(parsed("UseDevelopmentStorage=true"), parsed(&full));
}

#[test]
fn sas_is_kept_and_key_is_decoded() {
    let account = parsed("SharedAccessSignature=?sv=2023-11-03&ss=bq&sig=a%2Bb%3D;AccountName=acct");
    assert_eq!(account.credential, Credential::Sas(Secret::new("sv=2023-11-03&ss=bq&sig=a%2Bb%3D")));
    let account = parsed(&format!("AccountName=acct;AccountKey={KEY}"));
    assert_eq!(account.credential, Credential::Key(Key::from_base64(KEY).unwrap()));
}

#[test]
fn separate_endpoints_replace_those_of_the_string() {
    let text = format!("AccountName=acct;AccountKey={KEY};BlobEndpoint=https://old.example");
    let read = ConnectionString::parse_with(&text, "http://10.0.0.4:1/acct", "").unwrap();
    assert_eq!(read.blob_endpoint(), "http://10.0.0.4:1/acct");
    assert_eq!(read.queue_endpoint(), "https://acct.queue.core.windows.net");
    let sas = ConnectionString::parse_with("SharedAccessSignature=sig=a", "https://b", "https://q").unwrap();
    assert_eq!((sas.blob_endpoint(), sas.queue_endpoint()), ("https://b", "https://q"));
    let wrong = ConnectionString::parse_with(&text, "", "queue").unwrap_err();
    assert!(wrong.to_string().contains("queue_endpoint"), "{wrong}");
}

#[test]
fn invalid_setting_is_refused_by_its_name() {
    let table = [
        ("", "AccountName and AccountKey"),
        (" ;; ", "AccountName and AccountKey"),
        ("AccountName=hidden", "AccountKey"),
        ("AccountKey=aGlkZGVu", "AccountName"),
        ("AccountName=hidden;AccountKey=", "AccountKey is empty"),
        ("AccountName=hidden;AccountKey=hidden!", "Base64"),
        ("AccountName=hidden;AccountKey=aGlkZGVu;AccountKey=aGlkZGVu", "AccountKey is given twice"),
        ("AccountName=hidden;accountname=hidden;AccountKey=aGlkZGVu", "AccountName is given twice"),
        ("AccountName=hid den;AccountKey=aGlkZGVu", "AccountName"),
        ("AccountName=hidden;aGlkZGVuaGlkZGVu", "part 2"),
        ("AccountName=hidden;aGlkZGVu==", "part 2"),
        ("hidden", "part 1"),
        ("{\"hidden\":1}", "part 1"),
        ("DefaultEndpointsProtocol=hidden;AccountName=a;AccountKey=aGlkZGVu", "DefaultEndpointsProtocol"),
        ("AccountName=a;AccountKey=aGlkZGVu;EndpointSuffix=x/hidden", "EndpointSuffix"),
        (
            "AccountName=a;AccountKey=aGlkZGVu;EndpointSuffix=hidd\u{e9}n",
            "EndpointSuffix must be a host name",
        ),
        ("AccountName=a;AccountKey=aGlkZGVu;BlobEndpoint=hidden", "BlobEndpoint"),
        ("AccountName=a;AccountKey=aGlkZGVu;QueueEndpoint=https://q?hidden", "QueueEndpoint"),
        ("DefaultEndpointsProtocol=https;EndpointSuffix=core.windows.net", "AccountName and AccountKey"),
        ("SharedAccessSignature=sv=1&sig=hidden", "BlobEndpoint"),
        ("SharedAccessSignature=sv=1&sig=hidden;BlobEndpoint=https://b", "QueueEndpoint"),
        ("SharedAccessSignature=sv=hidden;AccountName=a", "sig"),
        ("SharedAccessSignature=sig=;AccountName=a", "sig"),
        ("SharedAccessSignature=sig=hid den;AccountName=a", "sig"),
        ("SharedAccessSignature=sig=hidden;AccountName=a;AccountKey=aGlkZGVu", "exclude each other"),
        ("UseDevelopmentStorage=hidden", "UseDevelopmentStorage"),
        ("UseDevelopmentStorage=true;AccountName=hidden", "AccountName"),
        ("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=hidden", "DevelopmentStorageProxyUri"),
        ("DevelopmentStorageProxyUri=http://hidden", "UseDevelopmentStorage=true"),
    ];
    for (text, named) in table {
        let error = ConnectionString::parse(text).expect_err(text).to_string();
        assert!(error.contains(named), "{text}: {error}");
        assert!(!error.contains("hidden") && !error.contains("aGlkZGVu"), "{text}: {error}");
    }
}

#[test]
fn emulator_key_is_refused_for_an_account_in_azure() {
    let error = ConnectionString::parse(&format!("AccountName=acct;AccountKey={EMULATOR_KEY}")).unwrap_err();
    assert!(error.to_string().contains("emulator"), "{error}");
    parsed(&format!(
        "AccountName=devstoreaccount1;AccountKey={EMULATOR_KEY};BlobEndpoint=http://azurite:10000/devstoreaccount1;\
         QueueEndpoint=http://azurite:10001/devstoreaccount1"
    ));
}

#[test]
fn debug_shows_no_secret() {
    for text in [
        format!("AccountName=acct;AccountKey={KEY}"),
        "AccountName=acct;SharedAccessSignature=sig=hidden".to_owned(),
    ] {
        let shown = format!("{:?}", ConnectionString::parse(&text));
        assert!(!shown.contains("hidden") && !shown.contains("115, 101"), "{shown}");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".*", pieces in prop::collection::vec("(AccountName|AccountKey|BlobEndpoint|UseDevelopmentStorage|SharedAccessSignature|DevelopmentStorageProxyUri)=[a-z0-9=:/.?\\[\\]]{0,20}", 0..6)) {
        let _ = ConnectionString::parse(&text);
        let _ = ConnectionString::parse(&pieces.join(";"));
    }
}
