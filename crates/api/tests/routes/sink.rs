//! Submissions while the events of tasks go to the operator's sink.

use fake_azure::Operation;
use http::Method;
use models::{CallbackState, EventMessage, SinkEvent, SinkMessage, TaskMessage};
use test_world::Fault;

use crate::world::{ID, World, id};

fn world() -> World {
    World::with(&[("event_sink_url", "https://sink.example/api/events?sig=hidden")])
}

async fn submit(world: &World) -> crate::world::TestResponse {
    world.ask(Method::POST, "/tasks", &[], &format!(r#"{{"TaskId":"{ID}","TaskName":"a"}}"#)).await
}

/// The messages of the queue of events that are no ends.
fn events(world: &World) -> Vec<SinkMessage> {
    world.messages("-events").iter().filter_map(|message| SinkMessage::parse(&message.text)).collect()
}

#[tokio::test(start_paused = true)]
async fn acceptance_is_put_between_document_and_message() {
    let world = world();
    assert_eq!(submit(&world).await.status, 202);
    let mut puts: Vec<_> = world.requests().into_iter().filter(|line| line.starts_with("Put")).collect();
    // A queue that does not exist is created, and the message put again.
    puts.dedup();
    let document = format!("PutBlob /tasks/{ID}-202");
    assert_eq!(puts, [&document, "PutMessage /taskqueue-events", "PutMessage /taskqueue"]);
    let document = world.document(id()).unwrap();
    assert!(document.sink_events && document.sink.is_none());
    assert_eq!(events(&world), [SinkMessage::accepted(&document).unwrap()]);
    assert!(!TaskMessage::parse(&world.messages("")[0].text).unwrap().owes_accepted);
    assert!(!world.logged().contains("hidden"));
}

#[tokio::test(start_paused = true)]
async fn submission_succeeds_although_its_event_cannot_be_put() {
    for fault in [Fault::unavailable(), Fault::Silence] {
        let world = world();
        world.fail(move |request| match (request.operation, &*request.path) {
            (Operation::PutMessage, "/taskqueue-events") => fault,
            _ => Fault::None,
        });
        let begin = world.now();
        assert_eq!(submit(&world).await.status, 202);
        assert!(world.now().since(begin).as_secs() <= 4);
        assert!(TaskMessage::parse(&world.messages("")[0].text).unwrap().owes_accepted, "a worker puts it");
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_submission_puts_the_event_again_with_the_same_id() {
    let world = world();
    world.fail_once(Operation::PutMessage, Fault::unavailable());
    submit(&world).await;
    submit(&world).await;
    submit(&world).await;
    let ids: Vec<_> = events(&world).iter().map(SinkMessage::id).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn unique_key_and_batch_have_the_event_too() {
    let world = world();
    world.ask(Method::POST, "/tasks", &[], r#"{"UniqueKey":"k"}"#).await;
    world.ask(Method::POST, "/tasks:batch", &[], r#"[{"TaskName":"b"},{"TaskName":"c"}]"#).await;
    let kinds: Vec<_> = events(&world).iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [SinkEvent::Accepted; 3]);
}

#[tokio::test(start_paused = true)]
async fn cancelled_task_owes_its_end_and_shows_the_delivery() {
    let world = world();
    submit(&world).await;
    let response = world.ask(Method::POST, &format!("/tasks/{ID}/cancel"), &[], "").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.monitor().event_sink.unwrap().status, CallbackState::Due);
    let document = world.document(id()).unwrap();
    let ends: Vec<_> = world
        .messages("-events")
        .iter()
        .filter_map(|message| EventMessage::parse(&message.text).ok())
        .collect();
    assert_eq!(ends, [EventMessage::for_sink(&document).unwrap()]);
    let ids: Vec<_> = events(&world).iter().map(SinkMessage::id).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "the submission may have crashed before it put its event");
}

#[tokio::test(start_paused = true)]
async fn no_event_is_put_without_a_sink() {
    let world = World::new();
    submit(&world).await;
    assert!(world.requests().iter().all(|line| !line.contains("-events")));
    assert!(!world.messages("")[0].text.contains("Sink"));
}

#[tokio::test(start_paused = true)]
async fn invalid_address_is_named_by_readyz_without_its_value() {
    let world = World::with(&[("event_sink_url", "sink.example/hidden")]);
    let problem = world.ask(Method::GET, "/readyz", &[], "").await.problem();
    let detail = problem.detail.unwrap();
    assert!(detail.contains("variable event_sink_url") && !detail.contains("hidden"), "{detail}");
}
