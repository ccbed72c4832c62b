use proptest::prelude::*;

use super::*;
use crate::moment::parse_iso;

fn now() -> OffsetDateTime {
    parse_iso("2026-11-20T10:00:00Z").unwrap()
}

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> ServiceResponse {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    ServiceResponse::new("Put Blob", Part::Blob, response.body(Bytes::copy_from_slice(body)).unwrap(), now)
}

const BUSY: &[u8] =
    b"\xef\xbb\xbf<?xml version=\"1.0\"?><Error><Message>m</Message><Code>ServerBusy</Code></Error>";

#[test]
fn every_status_has_its_error_kind() {
    let code = |code: &str| code.to_owned();
    let table = [
        (
            401,
            "NoAuthenticationInformation",
            ErrorKind::Unauthorized {
                part: Part::Blob,
                status: 401,
                code: code("NoAuthenticationInformation"),
            },
        ),
        (403, "", ErrorKind::Unauthorized { part: Part::Blob, status: 403, code: code("") }),
        (404, "QueueNotFound", ErrorKind::NotFound { code: code("QueueNotFound") }),
        (404, "", ErrorKind::Unexpected("status 404 without an error code".to_owned())),
        (409, "QueueBeingDeleted", ErrorKind::Conflict { code: code("QueueBeingDeleted") }),
        (412, "ConditionNotMet", ErrorKind::Conflict { code: code("ConditionNotMet") }),
        (429, "", ErrorKind::Throttled { retry_after: None }),
        (408, "", ErrorKind::Unavailable { retry_after: None }),
        (500, "OperationTimedOut", ErrorKind::Unavailable { retry_after: None }),
        (503, "ServerBusy", ErrorKind::Unavailable { retry_after: None }),
        (400, "", ErrorKind::Refused { status: 400, code: code("") }),
        (413, "RequestBodyTooLarge", ErrorKind::Refused { status: 413, code: code("RequestBodyTooLarge") }),
        (302, "", ErrorKind::Unexpected("status 302".to_owned())),
        (200, "", ErrorKind::Unexpected("status 200".to_owned())),
    ];
    for (status, code, kind) in table {
        let error = response(status, &[("x-ms-error-code", code)], b"").error();
        assert_eq!(error.kind(), &kind);
        assert_eq!(error.is_retryable(), matches!(status, 408 | 429 | 500..), "{status}");
    }
}

#[test]
fn error_code_is_from_the_header_then_the_body() {
    assert_eq!(response(503, &[("x-ms-error-code", "OperationTimedOut")], BUSY).code(), "OperationTimedOut");
    assert_eq!(response(503, &[], BUSY).code(), "ServerBusy");
    assert_eq!(
        response(404, &[], br#"{"error":{"code":"SecretNotFound","message":"m"}}"#).code(),
        "SecretNotFound"
    );
    for body in [&b""[..], b"<html><h1>502</h1></html>", b"{}", b"\xff\xfe", b"<Error><Code>a <b/></Code>"] {
        assert_eq!(response(400, &[], body).code(), "", "{body:?}");
    }
    let lines = response(400, &[], b"<Error><Code>two\nlines &amp; more</Code></Error>").code();
    assert_eq!(lines, "", "a code is one word");
}

#[test]
fn response_of_a_proxy_is_classified_by_its_status() {
    let page = b"<!DOCTYPE html><html><body>secret page</body></html>";
    assert!(matches!(response(502, &[], page).error().kind(), ErrorKind::Unavailable { .. }));
    assert!(matches!(response(404, &[], page).error().kind(), ErrorKind::Unexpected(_)));
    assert!(matches!(response(407, &[], page).error().kind(), ErrorKind::Refused { status: 407, .. }));
    let error = response(200, &[], page).xml(ERROR).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unexpected(_)));
    assert!(!error.to_string().contains("secret"));
}

#[test]
fn retry_after_is_parsed_in_every_form() {
    let asked = |name, value| response(503, &[(name, value)], b"").error().retry_after();
    assert_eq!(asked("retry-after", "7"), Some(Duration::from_secs(7)));
    assert_eq!(asked("retry-after", "Fri, 20 Nov 2026 10:00:09 GMT"), Some(Duration::from_secs(9)));
    assert_eq!(asked("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(asked("x-ms-retry-after-ms", "250"), Some(Duration::from_millis(250)));
    assert_eq!(asked("retry-after-ms", "250"), Some(Duration::from_millis(250)));
    assert_eq!(asked("retry-after", "18446744073709551615"), Some(MAX_RETRY_AFTER));
    assert_eq!(asked("retry-after", "soon"), None);
    assert_eq!(asked("retry-after", "-1"), None);
    assert_eq!(asked("retry-after", "+5"), None);
    assert_eq!(asked("retry-after", "Friday, 20-Nov-26 10:00:09 GMT"), Some(Duration::from_secs(9)));
    assert_eq!(asked("retry-after", "Fri Nov 20 10:00:09 2026"), Some(Duration::from_secs(9)));
}

#[test]
fn missing_response_error_has_advice_and_no_address() {
    let address = "https://a.example/x?sig=secret".to_owned();
    let denied = no_response("Put Blob", Part::Blob, "blob_host", &TransportError::Denied(address.clone()));
    assert!(matches!(denied.kind(), ErrorKind::Configuration(s) if s.contains("blob_host")));
    let refused = no_response("Put Blob", Part::Blob, "blob_host", &TransportError::Connect(address.clone()));
    assert!(refused.is_retryable());
    assert_eq!(refused.to_string(), "Put Blob: not available: cannot connect (Blob Storage)");
    for error in [denied, refused] {
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}

proptest! {
    #[test]
    fn any_response_has_an_error(status in 100u16..1000, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let response = response(status, &[], &body);
        prop_assert!(!response.error().to_string().is_empty());
    }
}
