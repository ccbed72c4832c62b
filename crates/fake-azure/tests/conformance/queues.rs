//! Queue Storage: what is stored and how it comes out again.

use std::collections::BTreeSet;
use std::time::Duration;

use azure::{ErrorKind, Queue, TimeToLive};

use crate::differences;
use crate::ground::{Ground, Kind};

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);

async fn put(queue: &Queue, text: &str) {
    queue.put(text, NOW, TimeToLive::Forever).await.unwrap();
}

pub(crate) async fn creating_a_queue_twice_is_fine(ground: &Ground) {
    let (queue, _) = ground.queue().await;
    put(&queue, "text").await;
    queue.create().await.unwrap();
    assert_eq!(queue.approximate_count().await.unwrap(), 1, "creating again changes nothing");
}

pub(crate) async fn missing_queue_is_called_missing(ground: &Ground) {
    let queue = ground.storage.queue(&ground.name());
    let missing = ErrorKind::NotFound { code: "QueueNotFound".to_owned() };
    assert_eq!(queue.put("text", NOW, TimeToLive::Forever).await.unwrap_err().kind(), &missing);
    assert_eq!(queue.get(1, LONG).await.unwrap_err().kind(), &missing);
    assert_eq!(queue.peek(1).await.unwrap_err().kind(), &missing);
    assert_eq!(queue.approximate_count().await.unwrap_err().kind(), &missing);

    let (queue, _) = ground.queue().await;
    put(&queue, "text").await;
    queue.delete_queue().await.unwrap();
    assert_eq!(queue.get(1, LONG).await.unwrap_err().kind(), &missing);
}

pub(crate) async fn text_arrives_as_it_was_put(ground: &Ground) {
    let (queue, _) = ground.queue().await;
    let texts = [
        "{\"TaskName\":\"a \\\"b\\\" <c> & d\"}",
        "  spaces on both sides  ",
        "]]> &amp; &#65; <!-- --> <?xml?>",
        "ü 日本 🦀 \u{85}\u{2028}",
        "tab\there\nand a line",
        "carriage\r\nreturn",
        "aGVsbG8=+/",
    ];
    for text in texts {
        put(&queue, text).await;
        let peeked = queue.peek(1).await.unwrap();
        let received = queue.get(1, LONG).await.unwrap();
        let [message] = received.as_slice() else { panic!("{} messages for {text:?}", received.len()) };
        assert_eq!(message.text, text);
        assert_eq!(peeked[0].text, text);
        queue.delete(&message.message_id, &message.pop_receipt).await.unwrap().unwrap();
    }
}

pub(crate) async fn largest_message_fits_and_a_larger_one_does_not(ground: &Ground) {
    let (queue, name) = ground.queue().await;
    let text = "x".repeat(64 * 1024);
    put(&queue, &text).await;
    assert!(queue.get(1, LONG).await.unwrap()[0].text == text);
    let body = format!("<QueueMessage><MessageText>{text}x</MessageText></QueueMessage>");
    let response = ground.queue_request("POST", &format!("{name}/messages"), &body).await;
    differences::TOO_LARGE_MESSAGE.check(ground.kind, &response);
}

pub(crate) async fn batch_holds_up_to_32_messages_in_order(ground: &Ground) {
    let (queue, _) = ground.queue().await;
    for number in 0..40 {
        put(&queue, &number.to_string()).await;
    }
    let first = queue.get(32, LONG).await.unwrap();
    let second = queue.get(32, LONG).await.unwrap();
    assert_eq!((first.len(), second.len()), (32, 8));
    let texts: Vec<&str> = first.iter().chain(&second).map(|message| message.text.as_str()).collect();
    let expected: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
    assert!(first.iter().all(|message| message.dequeue_count == 1));
    let ids: BTreeSet<&str> = first.iter().map(|message| message.message_id.as_str()).collect();
    assert_eq!(ids.len(), 32);
    // Azure: a receipt for each message. Azurite: one text for the whole batch.
    let receipts: BTreeSet<&str> = first.iter().map(|message| message.pop_receipt.expose()).collect();
    assert_eq!(receipts.len(), if ground.kind == Kind::Azurite { 1 } else { 32 });
    assert_eq!(queue.approximate_count().await.unwrap(), 40, "invisible ones count");
}

pub(crate) async fn peeking_changes_nothing(ground: &Ground) {
    let (queue, _) = ground.queue().await;
    assert!(queue.peek(32).await.unwrap().is_empty());
    for text in ["a", "b", "c"] {
        put(&queue, text).await;
    }
    for _ in 0..2 {
        let peeked = queue.peek(2).await.unwrap();
        let seen: Vec<_> =
            peeked.iter().map(|message| (message.text.as_str(), message.dequeue_count)).collect();
        assert_eq!(seen, [("a", 0), ("b", 0)]);
    }
    queue.get(1, LONG).await.unwrap();
    assert_eq!(queue.peek(1).await.unwrap()[0].text, "b", "hidden messages are not shown");
}

pub(crate) async fn delayed_message_is_counted_but_not_received(ground: &Ground) {
    let (queue, _) = ground.queue().await;
    let put = queue.put("later", Duration::from_secs(2), TimeToLive::Forever).await.unwrap();
    let delay = put.next_visible_at - put.inserted_at;
    assert_eq!(delay.whole_seconds(), 2);
    assert!(queue.get(1, LONG).await.unwrap().is_empty());
    assert_eq!(queue.approximate_count().await.unwrap(), 1);
    ground.pass(3).await;
    let received = queue.get(1, LONG).await.unwrap();
    assert_eq!((received[0].message_id.as_str(), received[0].dequeue_count), (put.message_id.as_str(), 1));
}

pub(crate) async fn message_is_gone_after_its_time_to_live(ground: &Ground) {
    let (queue, name) = ground.queue().await;
    queue.put("short", NOW, TimeToLive::Seconds(1)).await.unwrap();
    queue.put("long", NOW, TimeToLive::Forever).await.unwrap();
    ground.pass(3).await;
    let received = queue.get(32, LONG).await.unwrap();
    let texts: Vec<&str> = received.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["long"]);

    let body = "<QueueMessage><MessageText>x</MessageText></QueueMessage>";
    let response = ground.queue_request("POST", &format!("{name}/messages?messagettl=-1"), body).await;
    assert!(response.body.contains("<ExpirationTime>Fri, 31 Dec 9999 23:59:59 GMT<"), "{}", response.body);
}

pub(crate) async fn clearing_leaves_an_empty_queue(ground: &Ground) {
    let (queue, _) = ground.queue().await;
    for text in ["a", "b"] {
        put(&queue, text).await;
    }
    queue.get(1, LONG).await.unwrap();
    queue.clear().await.unwrap();
    assert_eq!(queue.approximate_count().await.unwrap(), 0);
    assert!(queue.get(32, LONG).await.unwrap().is_empty());
}

pub(crate) async fn parameters_out_of_range_are_refused(ground: &Ground) {
    let (_, name) = ground.queue().await;
    let body = "<QueueMessage><MessageText>x</MessageText></QueueMessage>";
    let out_of_range = (400, "OutOfRangeQueryParameterValue");
    let invalid = (400, "InvalidQueryParameterValue");
    for (method, query, body, expected) in [
        ("GET", "numofmessages=33", "", out_of_range),
        ("GET", "visibilitytimeout=0", "", out_of_range),
        ("GET", "visibilitytimeout=604801", "", out_of_range),
        ("POST", "visibilitytimeout=604801&messagettl=-1", body, out_of_range),
        ("POST", "messagettl=0", body, invalid),
        ("POST", "visibilitytimeout=60&messagettl=60", body, invalid),
    ] {
        let response = ground.queue_request(method, &format!("{name}/messages?{query}"), body).await;
        assert_eq!((response.status, response.code.as_str()), expected, "{method} {query}");
    }
    let response = ground.queue_request("GET", &format!("{name}/messages?numofmessages=0"), "").await;
    differences::NO_MESSAGES_ASKED.check(ground.kind, &response);
    let response = ground.queue_request("DELETE", &format!("{name}/messages/some-id"), "").await;
    differences::NO_RECEIPT.check(ground.kind, &response);
    let response = ground.queue_request("PUT", &format!("{name}/messages/some-id?popreceipt=x"), "").await;
    differences::NO_VISIBILITY.check(ground.kind, &response);
}

pub(crate) async fn body_that_is_not_the_expected_xml_is_refused(ground: &Ground) {
    let (queue, name) = ground.queue().await;
    let response = ground.queue_request("POST", &format!("{name}/messages"), "<QueueMessage><Mess").await;
    differences::NOT_XML.check(ground.kind, &response);
    assert_eq!(queue.approximate_count().await.unwrap(), 0);
}

pub(crate) async fn queues_are_listed(ground: &Ground) {
    let (_, first) = ground.queue().await;
    let (_, second) = ground.queue().await;
    let response = ground.queue_request("GET", "?comp=list&maxresults=5000", "").await;
    assert_eq!(response.status, 200);
    for name in [first, second] {
        assert!(response.body.contains(&format!("<Queue><Name>{name}</Name></Queue>")), "{}", response.body);
    }
}
