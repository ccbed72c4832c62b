//! Receipts, visibility and what is lost when.

use std::time::Duration;

use azure::{LeaseLost, Queue, ReceivedMessage, TimeToLive};

use crate::differences;
use crate::ground::{Ground, encode};

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);
/// Long enough for the requests that must happen within it, on a busy machine too.
const SHORT: Duration = Duration::from_secs(2);

async fn receive(queue: &Queue, visibility: Duration) -> Option<ReceivedMessage> {
    queue.get(1, visibility).await.unwrap().pop()
}

/// A new queue with one message in it that was received for `visibility`.
async fn received(ground: &Ground, visibility: Duration) -> (Queue, String, ReceivedMessage) {
    let (queue, name) = ground.queue().await;
    queue.put("text", NOW, TimeToLive::Forever).await.unwrap();
    let message = receive(&queue, visibility).await.unwrap();
    (queue, name, message)
}

pub(crate) async fn received_message_reappears_with_a_higher_dequeue_count(ground: &Ground) {
    let (queue, name, first) = received(ground, SHORT).await;
    assert_eq!(first.dequeue_count, 1);
    assert!(receive(&queue, LONG).await.is_none());
    ground.pass(3).await;
    let second = receive(&queue, LONG).await.unwrap();
    assert_eq!((&second.message_id, second.dequeue_count), (&first.message_id, 2));
    assert_ne!(second.pop_receipt.expose(), first.pop_receipt.expose());

    // The first receiver has lost it.
    assert_eq!(queue.delete(&first.message_id, &first.pop_receipt).await.unwrap(), Err(LeaseLost));
    assert_eq!(
        queue.update(&first.message_id, &first.pop_receipt, LONG, None).await.unwrap(),
        Err(LeaseLost)
    );
    let path =
        format!("{name}/messages/{}?popreceipt={}", first.message_id, encode(first.pop_receipt.expose()));
    let response = ground.queue_request("DELETE", &path, "").await;
    differences::STALE_RECEIPT.check(ground.kind, &response);
    let response = ground.queue_request("PUT", &format!("{path}&visibilitytimeout=1"), "").await;
    differences::STALE_RECEIPT.check(ground.kind, &response);
    // The second has not.
    assert_eq!(queue.delete(&second.message_id, &second.pop_receipt).await.unwrap(), Ok(()));
}

pub(crate) async fn receipt_of_the_insertion_is_good_at_once(ground: &Ground) {
    let (queue, _) = ground.queue().await;
    let put = queue.put("text", NOW, TimeToLive::Forever).await.unwrap();
    assert_eq!(queue.delete(&put.message_id, &put.pop_receipt).await.unwrap(), Ok(()));
    assert!(receive(&queue, LONG).await.is_none());
}

pub(crate) async fn update_moves_visibility_and_replaces_the_receipt(ground: &Ground) {
    let (queue, _, message) = received(ground, SHORT).await;
    let Ok(updated) =
        queue.update(&message.message_id, &message.pop_receipt, LONG, Some("<new>")).await.unwrap()
    else {
        panic!("the receipt is the newest")
    };
    let hidden_for = updated.next_visible_at - ground.env.now();
    assert!((55..=61).contains(&hidden_for.whole_seconds()), "{hidden_for}");
    ground.pass(3).await;
    assert!(receive(&queue, LONG).await.is_none(), "the lease was extended");
    assert_eq!(queue.delete(&message.message_id, &message.pop_receipt).await.unwrap(), Err(LeaseLost));

    // Without a text the text stays.
    let Ok(updated) = queue.update(&message.message_id, &updated.pop_receipt, NOW, None).await.unwrap()
    else {
        panic!("the receipt is the newest")
    };
    let again = receive(&queue, LONG).await.unwrap();
    assert_eq!((again.text.as_str(), again.dequeue_count), ("<new>", 2), "an update is no delivery");
    assert_eq!(queue.delete(&message.message_id, &updated.pop_receipt).await.unwrap(), Err(LeaseLost));
}

pub(crate) async fn message_is_handed_back_by_visibility_zero(ground: &Ground) {
    let (queue, _, message) = received(ground, LONG).await;
    let updated = queue.update(&message.message_id, &message.pop_receipt, NOW, None).await.unwrap();
    assert!(updated.is_ok());
    assert_eq!(receive(&queue, LONG).await.unwrap().dequeue_count, 2);
}

pub(crate) async fn late_receipt_is_good_until_another_receives_the_message(ground: &Ground) {
    let (queue, _, message) = received(ground, SHORT).await;
    ground.pass(3).await;
    assert_eq!(queue.peek(1).await.unwrap().len(), 1, "it is visible again");
    assert_eq!(queue.delete(&message.message_id, &message.pop_receipt).await.unwrap(), Ok(()));
}

pub(crate) async fn deleted_message_is_lost_to_everyone(ground: &Ground) {
    let (queue, name, message) = received(ground, LONG).await;
    assert_eq!(queue.delete(&message.message_id, &message.pop_receipt).await.unwrap(), Ok(()));
    assert_eq!(queue.delete(&message.message_id, &message.pop_receipt).await.unwrap(), Err(LeaseLost));
    assert_eq!(
        queue.update(&message.message_id, &message.pop_receipt, LONG, None).await.unwrap(),
        Err(LeaseLost)
    );
    let path =
        format!("{name}/messages/{}?popreceipt={}", message.message_id, encode(message.pop_receipt.expose()));
    let response = ground.queue_request("DELETE", &path, "").await;
    assert_eq!((response.status, response.code.as_str()), (404, "MessageNotFound"));
}

pub(crate) async fn receipt_of_another_message_is_refused(ground: &Ground) {
    let (queue, name, first) = received(ground, LONG).await;
    queue.put("other", NOW, TimeToLive::Forever).await.unwrap();
    let second = receive(&queue, LONG).await.unwrap();
    assert_eq!(queue.delete(&second.message_id, &first.pop_receipt).await.unwrap(), Err(LeaseLost));
    let path =
        format!("{name}/messages/{}?popreceipt={}", second.message_id, encode(first.pop_receipt.expose()));
    let response = ground.queue_request("DELETE", &path, "").await;
    assert_eq!((response.status, response.code.as_str()), (400, "PopReceiptMismatch"));
    assert_eq!(queue.approximate_count().await.unwrap(), 2);
}
