//! Cancel requests before an attempt, during it and at its end.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lifecycle::cancel::{Cancel, cancel};
use models::{AttemptOutcome, TaskId, TaskState};
use storage::{Read, Write};

use crate::world::{World, run};

/// Requests the cancellation as the API does.
async fn request_cancel(world: &Rc<World>, id: TaskId) {
    let documents = world.storage().store;
    loop {
        let Read::Found(stored) = documents.read(id, None).await.unwrap() else { panic!("it is stored") };
        let next = match cancel(&stored.document, Duration::from_secs(86_400), world.now()) {
            Cancel::Now(next) | Cancel::Request(next) => next,
            other => panic!("expected a write, got {other:?}"),
        };
        if let Write::Done(_) = documents.replace(&next, &stored.etag).await.unwrap() {
            return;
        }
    }
}

#[test]
fn cancelled_task_is_never_started() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        request_cancel(&world, id).await;
        let counts = world.worker(&[]).drain().await;
        assert_eq!((&counts["discarded"], &counts["completed"]), (&1.into(), &0.into()));
        let document = world.document(id);
        assert_eq!((document.state, document.attempt), (TaskState::Cancelled, 0));
        assert!(world.messages("").is_empty());
    });
}

#[test]
fn cancelled_task_stops_at_the_next_renewal() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(1000), Response::new(Bytes::new())));
        let id = world.submit("routed", |_| {}).await;
        let worker = world.worker(&[]);
        let ask = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            request_cancel(&world, id).await;
        };
        let started = world.now();
        let (counts, ()) = futures::future::join(worker.drain(), ask).await;
        assert_eq!(counts["cancelled"], 1);
        assert!(world.now().since(started) < Duration::from_secs(32));
        let document = world.document(id);
        assert_eq!(document.state, TaskState::Cancelled);
        assert_eq!(document.history[0].outcome, Some(AttemptOutcome::Cancelled));
        assert!(document.cancel_requested_at.is_some());
        assert!(world.messages("").is_empty());
    });
}

#[test]
fn cancel_request_is_read_even_if_the_handler_ends_during_the_renewal() {
    // The first renewal starts 30 s after the message was requested; receive, start and renewal take 4 ms each.
    for milliseconds in 29_993..29_996 {
        run(|world| async move {
            world.respond_to_tasks(move |_| {
                (Duration::from_millis(milliseconds), Response::new(Bytes::new()))
            });
            let id = world.submit("routed", |_| {}).await;
            let worker = world.worker(&[]);
            let ask = async {
                tokio::time::sleep(Duration::from_secs(29)).await;
                request_cancel(&world, id).await;
                world.forget_requests();
            };
            let (counts, ()) = futures::future::join(worker.drain(), ask).await;
            assert_eq!(counts["cancelled"], 1);
            let document = format!("/tasks/{id}-202");
            // The read after the renewal finds the request, so no write meets a conflict.
            let (renewal, read) = ("UpdateMessage /taskqueue".to_owned(), format!("GetBlob {document}"));
            let (write, deletion) = (format!("PutBlob {document}"), "DeleteMessage /taskqueue".to_owned());
            assert_eq!(world.requests()[..4], [renewal, read, write, deletion], "{milliseconds} ms");
        });
    }
}

#[test]
fn cancelled_task_that_reports_progress_stops_within_seconds() {
    run(|world| async move {
        let id = world.submit("simulate", |_| {}).await;
        let worker = world.worker(&[("simulate_unit_ms", "60000")]);
        let ask = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            while world.document(id).percent_complete.is_none() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            request_cancel(&world, id).await;
        };
        let (counts, ()) = futures::future::join(worker.drain(), ask).await;
        assert_eq!(counts["cancelled"], 1);
        assert_eq!(world.document(id).percent_complete, Some(10), "progress and request are both kept");
    });
}

#[test]
fn cancel_request_beats_a_simultaneous_result_and_deletes_it() {
    run(|world| async move {
        let png =
            Response::builder().header("content-type", "image/png").body(Bytes::from_static(b"png")).unwrap();
        world.respond_to_tasks(move |_| (Duration::from_secs(10), png.clone()));
        let id = world.submit("routed", |_| {}).await;
        let worker = world.worker(&[]);
        let ask = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            request_cancel(&world, id).await;
        };
        let (counts, ()) = futures::future::join(worker.drain(), ask).await;
        assert_eq!(counts["cancelled"], 1);
        let document = world.document(id);
        assert_eq!((document.state, document.result_blob), (TaskState::Cancelled, None));
        assert!(world.results(id).is_empty(), "nothing refers to it");
        assert!(world.messages("").is_empty());
    });
}
