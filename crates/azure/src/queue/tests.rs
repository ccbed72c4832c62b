use bytes::Bytes;
use http::Response;
use proptest::prelude::*;

use super::*;
use crate::moment::parse_iso;
use crate::response::ServiceResponse;
use crate::retry::Repeat;
use crate::{ErrorKind, Part};

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> ServiceResponse {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let now = parse_iso("2026-11-20T10:00:00Z").unwrap();
    ServiceResponse::new(
        "Test",
        Part::Queue,
        response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap(),
        || now,
    )
}

fn coded(status: u16, code: &str) -> ServiceResponse {
    response(status, &[("x-ms-error-code", code)], "")
}

fn listed(messages: &str) -> ServiceResponse {
    let xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList>{messages}</QueueMessagesList>"
    );
    response(200, &[], &xml)
}

const MESSAGE: &str = "<QueueMessage><MessageText> {&quot;a&quot;:&quot;&lt;&amp;&gt;\u{fc}&#xD;\n\"} </MessageText>\
    <DequeueCount>3</DequeueCount><TimeNextVisible>Fri, 20 Nov 2026 10:01:00 GMT</TimeNextVisible>\
    <PopReceipt>AgAA+/=</PopReceipt><ExpirationTime>Fri, 31 Dec 9999 23:59:59 GMT</ExpirationTime>\
    <InsertionTime>Fri, 20 Nov 2026 09:00:00 GMT</InsertionTime><MessageId>id-1</MessageId></QueueMessage>";

#[test]
fn requests_are_the_documented_ones() {
    let line = |call: &crate::call::Call| {
        let query: Vec<_> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {} {}", call.method, call.path, query.join("&"))
    };
    let receipt = Secret::new("a+b");
    let second = Duration::from_secs(1);
    assert_eq!(line(&requests::create("q")), "PUT /q ");
    assert_eq!(line(&requests::delete_queue("q")), "DELETE /q ");
    assert_eq!(line(&requests::metadata("q")), "GET /q comp=metadata");
    assert_eq!(line(&requests::clear("q")), "DELETE /q/messages ");
    assert_eq!(line(&requests::peek("q", 99)), "GET /q/messages peekonly=true&numofmessages=32");
    let get = |count, visibility| line(&requests::get("q", count, visibility).unwrap());
    assert_eq!(get(16, Duration::from_millis(1500)), "GET /q/messages numofmessages=16&visibilitytimeout=2");
    assert_eq!(get(0, Duration::ZERO), "GET /q/messages numofmessages=1&visibilitytimeout=1");
    assert_eq!(
        line(&requests::put("q", "x", Duration::ZERO, TimeToLive::Forever).unwrap()),
        "POST /q/messages visibilitytimeout=0&messagettl=-1"
    );
    assert_eq!(
        line(&requests::put("q", "x", MAX_VISIBILITY, TimeToLive::Seconds(700_000)).unwrap()),
        "POST /q/messages visibilitytimeout=604800&messagettl=700000"
    );
    let update = requests::update("q", "m/1", &receipt, second, None).unwrap();
    assert_eq!(line(&update), "PUT /q/messages/m%2F1 popreceipt=a+b&visibilitytimeout=1");
    assert!(update.body.is_empty());
    assert_eq!(line(&requests::delete("q", "m", &receipt)), "DELETE /q/messages/m popreceipt=a+b");
    assert_eq!(update.repeat, Repeat::OnlyWithoutEffect);
    assert_eq!(requests::put("q", "x", second, TimeToLive::Forever).unwrap().repeat, Repeat::MayDuplicate);
    assert_eq!(requests::delete("q", "m", &receipt).repeat, Repeat::Idempotent);
}

#[test]
fn text_is_escaped_so_that_it_returns_unchanged() {
    let call =
        requests::put("q", "{\"a\":\"<&>\r\n\t\u{7f}ü\"}", Duration::ZERO, TimeToLive::Forever).unwrap();
    assert_eq!(
        std::str::from_utf8(&call.body).unwrap(),
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessage><MessageText>{\"a\":\"&lt;&amp;&gt;&#xD;\n\t\u{7f}ü\"}\
         </MessageText></QueueMessage>"
    );
}

#[test]
fn invalid_request_is_not_sent() {
    let put = |text: &str, visibility| requests::put("q", text, visibility, TimeToLive::Forever).map(drop);
    assert_eq!(put(&"x".repeat(MAX_TEXT_BYTES), Duration::ZERO), Ok(()));
    let envelope = requests::put("q", "", Duration::ZERO, TimeToLive::Forever).unwrap().body.len();
    let ampersands = (MAX_BODY_BYTES - envelope) / 5;
    assert_eq!(put(&"&".repeat(ampersands), Duration::ZERO), Ok(()));
    let escaped = put(&"&".repeat(ampersands + 1), Duration::ZERO).unwrap_err();
    assert_eq!(escaped.kind(), &ErrorKind::Refused { status: 413, code: "RequestBodyTooLarge".to_owned() });
    assert!(escaped.to_string().contains("as XML is above the limit of 131584"), "{escaped}");
    let text = "&".repeat(ampersands + 1);
    assert!(requests::update("q", "m", &Secret::default(), Duration::ZERO, Some(&text)).is_err());
    let large = put(&"ü".repeat(MAX_TEXT_BYTES / 2 + 1), Duration::ZERO).unwrap_err();
    assert_eq!(large.kind(), &ErrorKind::Refused { status: 413, code: "RequestBodyTooLarge".to_owned() });
    assert!(large.to_string().contains("65538 bytes is above the limit of 65536"), "{large}");
    let control = put("hidden\u{1}", Duration::ZERO).unwrap_err();
    assert!(control.to_string().contains("U+0001") && !control.to_string().contains("hidden"), "{control}");
    let late = put("", MAX_VISIBILITY + Duration::from_millis(1)).unwrap_err();
    assert_eq!(late.code(), Some("OutOfRangeQueryParameterValue"));
    assert!(requests::update("q", "m", &Secret::default(), Duration::MAX, Some("")).is_err());
    assert!(requests::get("q", 1, Duration::MAX).is_err());
}

#[test]
fn received_messages_keep_their_text_exactly() {
    let messages = responses::get(&listed(MESSAGE)).unwrap();
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message.text, " {\"a\":\"<&>\u{fc}\r\n\"} ");
    assert_eq!(
        (message.message_id.as_str(), message.pop_receipt.expose(), message.dequeue_count),
        ("id-1", "AgAA+/=", 3)
    );
    assert_eq!(message.next_visible_at - message.inserted_at, time::Duration::minutes(61));
    let shown = format!("{message:?}");
    assert!(!shown.contains("AgAA") && !shown.contains("<&>"), "{shown}");
}

#[test]
fn message_without_text_does_not_affect_the_others() {
    let text = MESSAGE.split_once("<MessageText>").unwrap().1.split_once("</MessageText>").unwrap().0;
    for strange in ["<a>markup</a>", "<a/>"] {
        let messages =
            responses::get(&listed(&format!("{}{MESSAGE}", MESSAGE.replace(text, strange)))).unwrap();
        assert_eq!(messages.iter().map(|message| message.text.is_empty()).collect::<Vec<_>>(), [true, false]);
    }
}

#[test]
fn empty_list_is_read_in_any_form() {
    for xml in [
        "<QueueMessagesList/>",
        "<QueueMessagesList />",
        "<QueueMessagesList></QueueMessagesList>",
        "<QueueMessagesList>\n</QueueMessagesList>",
    ] {
        assert_eq!(responses::get(&response(200, &[], xml)), Ok(vec![]), "{xml}");
        assert_eq!(responses::peek(&response(200, &[], xml)), Ok(vec![]), "{xml}");
    }
}

#[test]
fn put_and_peeked_messages_are_read() {
    let put =
        responses::put(&response(201, &[], &format!("<QueueMessagesList>{MESSAGE}</QueueMessagesList>")))
            .unwrap();
    assert_eq!((put.message_id.as_str(), put.pop_receipt.expose()), ("id-1", "AgAA+/="));
    let peeked = "<QueueMessage><MessageId>m</MessageId><InsertionTime>Fri, 20 Nov 2026 09:00:00 GMT</InsertionTime>\
        <DequeueCount>0</DequeueCount><MessageText/></QueueMessage>";
    let peeked = responses::peek(&listed(peeked)).unwrap();
    assert_eq!((peeked[0].dequeue_count, peeked[0].text.as_str()), (0, ""));
}

#[test]
fn lost_lease_is_separate_from_other_errors() {
    for lost in [coded(404, "MessageNotFound"), coded(400, "PopReceiptMismatch")] {
        assert_eq!(responses::update(&lost), Ok(Err(LeaseLost)));
        assert_eq!(responses::delete(&lost), Ok(Err(LeaseLost)));
    }
    for response in [coded(404, "QueueNotFound"), response(404, &[], "<html/>"), response(400, &[], "")] {
        assert!(responses::update(&response).is_err());
        assert!(responses::delete(&response).is_err());
    }
    let headers = [("x-ms-popreceipt", "new"), ("x-ms-time-next-visible", "Fri, 20 Nov 2026 10:01:00 GMT")];
    assert!(matches!(
        responses::update(&response(204, &headers, "")),
        Ok(Ok(updated)) if updated.pop_receipt.expose() == "new"
    ));
    assert!(responses::update(&response(204, &headers[1..], "")).is_err(), "the new receipt is needed");
}

#[test]
fn creating_and_deleting_a_queue_are_idempotent() {
    assert_eq!(responses::create(&coded(201, "")), Ok(()));
    assert_eq!(responses::create(&coded(204, "")), Ok(()));
    assert_eq!(responses::create(&coded(409, "QueueAlreadyExists")), Ok(()));
    assert_eq!(
        responses::create(&coded(409, "QueueBeingDeleted")).unwrap_err().code(),
        Some("QueueBeingDeleted")
    );
    assert_eq!(responses::delete_queue(&coded(404, "QueueNotFound")), Ok(()));
    assert!(responses::delete_queue(&coded(404, "")).is_err());
    assert_eq!(responses::count(&response(200, &[("x-ms-approximate-messages-count", "4")], "")), Ok(4));
    assert!(responses::count(&response(200, &[], "")).is_err());
}

proptest! {
    #[test]
    fn any_sent_text_is_read_back(text in any::<String>()) {
        if let Ok(call) = requests::put("q", &text, Duration::ZERO, TimeToLive::Forever) {
            let body = std::str::from_utf8(&call.body).unwrap();
            let inner = body.split_once("<MessageText>").unwrap().1.split_once("</MessageText>").unwrap().0;
            let start = MESSAGE.find('>').unwrap() + 1;
            let rest = &MESSAGE[MESSAGE.find("<DequeueCount>").unwrap()..];
            let response = listed(&format!("{}<MessageText>{inner}</MessageText>{rest}", &MESSAGE[..start]));
            prop_assert_eq!(&responses::get(&response).unwrap()[0].text, &text);
        }
    }

    #[test]
    fn any_response_is_parsed_or_refused(status in 100u16..600, body in "\\PC{0,200}|(<QueueMessagesList>|<QueueMessage>|</?[A-Z][a-z]+>|&|x){0,40}") {
        let response = response(status, &[("x-ms-popreceipt", "r")], &body);
        let _ = (responses::get(&response), responses::peek(&response), responses::put(&response), responses::update(&response));
        let _ = (responses::delete(&response), responses::count(&response), responses::create(&response));
    }
}
