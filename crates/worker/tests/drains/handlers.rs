//! Handlers: their requests, their responses and what is stored of them.

use std::time::Duration;

use bytes::Bytes;
use fake_azure::Operation::{DeleteMessage, PutBlob, PutBlock, PutBlockList};
use http::Response;
use models::{Json, TaskState, TaskStatus};
use serde_json::{Value, json};
use test_world::Fault;

use crate::world::{World, run};

const NOW: Duration = Duration::ZERO;

fn reply(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).header("content-type", content_type).body(body.into()).unwrap()
}

/// Runs one task called `routed` whose handler responds with `reply`.
async fn routed(world: &std::rc::Rc<World>, reply: Response<Bytes>) -> TaskStatus {
    world.respond_to_tasks(move |_| (NOW, reply.clone()));
    let id = world.submit("routed", |_| {}).await;
    world.worker(&[]).drain().await;
    world.document(id)
}

#[test]
fn routed_handler_receives_the_whole_task() {
    run(|world| async move {
        let told = std::rc::Rc::new(std::cell::RefCell::new(Value::Null));
        let seen = std::rc::Rc::clone(&told);
        world.respond_to_tasks(move |task| {
            *seen.borrow_mut() = task;
            (NOW, reply(204, "text/plain", ""))
        });
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let id = world
            .submit("routed", |document| {
                document.task_description = "ü <&>".to_owned();
                document.trace_parent = Some(trace.to_owned());
                document.input = Some(Json::parse(r#"{"width":640}"#).unwrap());
            })
            .await;
        world.worker(&[]).drain().await;
        let expected = json!({
            "id": id.to_string(), "name": "routed", "description": "ü <&>", "priority": "High",
            "input": {"width": 640}, "attempt": 1, "traceparent": trace
        });
        assert_eq!(*told.borrow(), expected);
        let document = world.document(id);
        assert_eq!(
            (document.state, document.result, document.result_blob),
            (TaskState::Completed, None, None)
        );
    });
}

#[test]
fn small_json_result_is_inline_and_others_are_blobs() {
    run(|world| async move {
        let small = routed(&world, reply(200, "application/json; charset=utf-8", r#"{ "a": 1 }"#)).await;
        assert_eq!(small.result.unwrap().get(), r#"{"a":1}"#);
        assert_eq!(
            routed(&world, reply(200, "application/vnd.x+json", "[1]")).await.result.unwrap().get(),
            "[1]"
        );
        assert_eq!(routed(&world, reply(200, "application/json", "")).await.result, None);

        let large = format!("\"{}\"", "x".repeat(20_000));
        for (media_type, body) in [
            ("application/json", large.as_bytes().to_vec()),
            ("application/json", b"{ this is not JSON".to_vec()),
            ("image/png", vec![0, 255, 1, 254]),
            ("text/plain; charset=utf-8", "grün".as_bytes().to_vec()),
        ] {
            let document = routed(&world, reply(200, media_type, body.clone())).await;
            assert_eq!((document.state, &document.result), (TaskState::Completed, &None), "{media_type}");
            let kept = document.result_blob.unwrap();
            assert_eq!(world.results(document.task_id), std::slice::from_ref(&kept.name));
            assert_eq!((kept.content_type.as_str(), kept.size), (media_type, body.len() as u64));
            let blob = world.blob(&kept.name).unwrap();
            assert_eq!((&blob.content[..], blob.content_type.as_str()), (&body[..], media_type));
        }
    });
}

#[test]
fn result_above_the_limit_fails_the_task() {
    run(|world| async move {
        let document = routed(&world, reply(200, "image/png", vec![0; 8 * 1024 * 1024 + 1])).await;
        assert_eq!(document.state, TaskState::Failed);
        assert_eq!(document.error.unwrap().code, "ResultTooLarge");
        assert!(world.results(document.task_id).is_empty());
    });
}

/// The rule of a name whose results may be large.
fn large(max_bytes: usize) -> String {
    let url = "http://handler.test/run";
    json!({"large": {"handler": url, "max_result_bytes": max_bytes, "max_dequeue_count": 1}}).to_string()
}

const MIB: usize = 1024 * 1024;

/// A result that differs from place to place.
fn bytes_of(length: usize) -> Vec<u8> {
    (0..length).map(|place| place.to_le_bytes()[place % 3]).collect()
}

#[test]
fn large_result_is_stored_in_parts_before_the_outcome() {
    run(|world| async move {
        let body = bytes_of(9 * MIB);
        let reply = reply(200, "image/png", body.clone());
        world.respond_to_tasks(move |_| (NOW, reply.clone()));
        let id = world.submit("large", |_| {}).await;
        let worker = world.worker(&[("task_handlers", &large(16 * MIB))]);
        world.take_operations();
        assert_eq!(worker.drain().await["completed"], 1);
        let mut operations = world.take_operations();
        operations.retain(|operation| matches!(operation, PutBlob | PutBlock | PutBlockList | DeleteMessage));
        let expected = [PutBlob, PutBlock, PutBlock, PutBlock, PutBlockList, PutBlob, DeleteMessage];
        assert_eq!(operations, expected, "4, 4 and 1 MiB between the start and the outcome");
        let kept = world.document(id).result_blob.unwrap();
        assert_eq!((kept.size, kept.content_type.as_str()), (body.len() as u64, "image/png"));
        let blob = world.blob(&kept.name).unwrap();
        assert!(blob.content == body && blob.content_type == "image/png");
    });
}

#[test]
fn large_result_above_its_limit_fails_the_task_without_a_blob() {
    run(|world| async move {
        let reply = reply(200, "image/png", vec![7; 16 * MIB + 1]);
        world.respond_to_tasks(move |_| (NOW, reply.clone()));
        let id = world.submit("large", |_| {}).await;
        world.worker(&[("task_handlers", &large(16 * MIB))]).drain().await;
        let document = world.document(id);
        assert_eq!(document.error.unwrap().message, format!("the result is larger than {} bytes", 16 * MIB));
        assert!(world.results(id).is_empty());
    });
}

#[test]
fn part_that_storage_refuses_is_no_attempt() {
    run(|world| async move {
        let reply = reply(200, "image/png", vec![7; 9 * MIB]);
        world.respond_to_tasks(move |_| (NOW, reply.clone()));
        let id = world.submit("large", |_| {}).await;
        world.fail_once(PutBlock, Fault::status(403));
        let worker = world.worker(&[("task_handlers", &large(16 * MIB))]);
        worker.drain_until_quiet(&world).await;
        let document = world.document(id);
        assert_eq!((document.state, document.attempt), (TaskState::Completed, 2));
        assert_eq!(document.history[0].error.as_ref().unwrap().code, "ResultNotStored");
        assert_eq!(world.results(id).len(), 1);
    });
}

#[test]
fn response_status_decides_between_failure_and_retry() {
    run(|world| async move {
        for (status, state) in [
            (400, TaskState::Failed),
            (404, TaskState::Failed),
            (409, TaskState::Failed),
            (422, TaskState::Failed),
            (202, TaskState::Failed),
            (301, TaskState::Failed),
            (408, TaskState::Pending),
            (429, TaskState::Pending),
            (500, TaskState::Pending),
            (503, TaskState::Pending),
        ] {
            let document = routed(&world, reply(status, "text/html", "<p>no</p>")).await;
            assert_eq!(document.state, state, "{status}");
            let error = document.error.unwrap();
            assert!(error.message.contains(&status.to_string()), "{status}: {}", error.message);
        }
    });
}

#[test]
fn failure_message_is_the_handlers_text_cut_to_a_bound() {
    run(|world| async move {
        let problem = r#"{"title":"Bad picture","detail":"it has no pixels"}"#;
        let said = |document: TaskStatus| document.error.unwrap().message;
        assert_eq!(
            said(routed(&world, reply(400, "application/problem+json", problem)).await),
            "it has no pixels"
        );
        assert_eq!(said(routed(&world, reply(400, "application/json", r#"{"title":"Bad"}"#)).await), "Bad");
        assert_eq!(said(routed(&world, reply(400, "text/plain", "no pixels\n")).await), "no pixels");
        assert_eq!(said(routed(&world, reply(400, "text/plain", "x".repeat(9_999))).await).len(), 2048);
        assert_eq!(
            said(routed(&world, reply(400, "text/plain", vec![0xff])).await),
            "the handler responded 400"
        );
    });
}

#[test]
fn progress_lines_end_with_result_error_or_retry() {
    run(|world| async move {
        let lines = |text: &'static str| reply(200, "application/x-ndjson", text);
        let done = routed(
            &world,
            lines("{\"percentComplete\":50,\"message\":\"half\"}\n\n{\"result\":{\"n\":1}}\n"),
        )
        .await;
        assert_eq!((done.state, done.result.unwrap().get()), (TaskState::Completed, r#"{"n":1}"#));
        let empty = routed(&world, lines("{\"percentComplete\":1e99}\n{\"result\":null}")).await;
        assert_eq!((empty.state, empty.result), (TaskState::Completed, None));
        let failed = routed(&world, lines("{\"error\":{\"message\":\"no\"}}")).await;
        assert_eq!((failed.state, failed.error.unwrap().message.as_str()), (TaskState::Failed, "no"));
        for broken in
            ["", "{\"percentComplete\":50}\n", "nonsense\n", "{\"percentComplete\":\"x\"}", "{\"result\":"]
        {
            let document = routed(&world, lines(broken)).await;
            assert_eq!(document.state, TaskState::Pending, "{broken:?} is a handler that died");
        }
    });
}

#[test]
fn progress_is_stored_while_the_handler_runs() {
    run(|world| async move {
        let lines =
            "{\"percentComplete\":10,\"message\":\"started\"}\n{\"percentComplete\":60}\n{\"result\":1}\n";
        world.respond_to_tasks(move |_| (Duration::from_secs(30), reply(200, "application/x-ndjson", lines)));
        let id = world.submit("routed", |_| {}).await;
        let worker = world.worker(&[]);
        let watch = async {
            let mut seen = Vec::new();
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_secs(12)).await;
                let document = world.document(id);
                seen.push((document.state, document.percent_complete, document.message));
            }
            seen
        };
        let (_, seen) = tokio::join!(worker.drain(), watch);
        let message = Some("started".to_owned());
        let expected = [10, 60].map(|percent| (TaskState::InProgress, Some(percent), message.clone()));
        assert_eq!(seen, expected);
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn retry_after_of_a_handler_is_respected() {
    run(|world| async move {
        let busy = Response::builder().status(503).header("retry-after", "120").body(Bytes::new()).unwrap();
        let started = world.now();
        routed(&world, busy).await;
        let message = world.messages("").pop().unwrap();
        let hidden = models::Timestamp::from(message.visible_at).since(started);
        assert!((Duration::from_secs(119)..Duration::from_secs(122)).contains(&hidden), "{hidden:?}");
    });
}

#[test]
fn retry_after_may_be_date_or_seconds_up_to_seven_days() {
    run(|world| async move {
        // The world begins at 2026-11-20T10:00:00Z.
        for (value, least, most) in [
            ("Fri, 20 Nov 2026 12:00:00 GMT", 7_000, 7_201),
            ("Friday, 20-Nov-26 12:00:00 GMT", 7_000, 7_201),
            ("Fri Nov 20 12:00:00 2026", 7_000, 7_201),
            ("3600", 3_599, 3_602),
            ("9999999999999999999999", 604_799, 604_801),
            ("Fri, 20 Nov 2099 12:00:00 GMT", 604_799, 604_801),
            // Only the back-off of two seconds: a date in the past, or not a time.
            ("Fri, 20 Nov 2020 12:00:00 GMT", 0, 3),
            ("soon", 0, 3),
            ("-5", 0, 3),
        ] {
            let busy =
                Response::builder().status(503).header("retry-after", value).body(Bytes::new()).unwrap();
            let started = world.now();
            routed(&world, busy).await;
            let message = world.messages("").pop().unwrap();
            let hidden = models::Timestamp::from(message.visible_at).since(started).as_secs();
            assert!((least..=most).contains(&hidden), "{value}: {hidden} s");
            world.drop_messages().await;
        }
    });
}

#[test]
fn progress_lines_of_other_serialisers_are_read() {
    run(|world| async move {
        let done = "{\"PercentComplete\":10,\"Message\":\"a\",\"Result\":null,\"Error\":null}\r\n\
                    {\"PercentComplete\":100,\"Message\":null,\"Result\":{\"n\":1},\"Error\":null}";
        for (media_type, text) in [
            (
                "Application/X-NDJSON; charset=utf-8",
                "{\"percentComplete\":50}\n{\"result\":{\"n\":1}}".to_owned(),
            ),
            ("application/jsonl", done.to_owned()),
            ("application/x-jsonlines", format!("\u{feff}{done}\r\n\r\n")),
            ("application/ndjson;charset=UTF-8", format!("\n \n{{}}\n\t\n{done}\n\n")),
            (
                "application/x-ndjson",
                "{\"percent_complete\":5,\"message\":\"a\"}\r\n{\"result\":{ \"n\" : 1 }}\r".to_owned(),
            ),
        ] {
            let document = routed(&world, reply(200, media_type, text.clone())).await;
            assert_eq!(document.state, TaskState::Completed, "{media_type} {text}");
            assert_eq!(document.result.unwrap().get(), r#"{"n":1}"#, "{text}");
        }
        let lines = |text: &'static str| reply(200, "application/x-ndjson", text);
        for text in [
            "{\"PercentComplete\":100,\"Message\":\"done\",\"Result\":null}\n",
            "{\"percentComplete\":null,\"message\":null,\"result\":null,\"error\":null}",
        ] {
            let document = routed(&world, lines(text)).await;
            assert_eq!((document.state, document.result), (TaskState::Completed, None), "{text}");
        }
        // A null result beside progress is not a result: the handler crashed after it.
        let died =
            routed(&world, lines("{\"percentComplete\":40,\"message\":\"a\",\"result\":null}\n")).await;
        assert_eq!(died.state, TaskState::Pending);
    });
}

#[test]
fn progress_with_null_members_is_stored_while_the_handler_runs() {
    run(|world| async move {
        let lines = "\u{feff}{\"PercentComplete\":60,\"Message\":\"half\",\"Result\":null,\"Error\":null}\r\n\
                     {\"Result\":1}\r\n";
        world.respond_to_tasks(move |_| (Duration::from_secs(30), reply(200, "application/jsonl", lines)));
        let id = world.submit("routed", |_| {}).await;
        let worker = world.worker(&[]);
        let watch = async {
            tokio::time::sleep(Duration::from_secs(25)).await;
            world.document(id)
        };
        let (_, seen) = tokio::join!(worker.drain(), watch);
        assert_eq!((seen.percent_complete, seen.message.as_deref()), (Some(60), Some("half")));
        assert_eq!(world.document(id).result.unwrap().get(), "1");
    });
}

#[test]
fn content_coding_and_redirects_fail_with_advice() {
    run(|world| async move {
        let with = |status: u16, name: &'static str, value: &'static str| {
            let builder = Response::builder().status(status).header("content-type", "application/json");
            builder.header(name, value).body(Bytes::from_static(b"{}")).unwrap()
        };
        for (reply, words) in [
            (with(200, "content-encoding", "gzip"), "Content-Encoding"),
            (with(200, "content-encoding", "br"), "Content-Encoding"),
            (with(302, "location", "https://elsewhere.example/hidden"), "redirects are not followed"),
            (with(308, "location", "/other"), "task_handlers must name the final address"),
        ] {
            let document = routed(&world, reply).await;
            let error = document.error.unwrap();
            assert_eq!((document.state, error.code.as_str()), (TaskState::Failed, "HandlerFailed"));
            assert!(error.message.contains(words) && !error.message.contains("hidden"), "{}", error.message);
        }
        let plain = routed(&world, with(200, "content-encoding", "Identity")).await;
        assert_eq!((plain.state, plain.result.unwrap().get()), (TaskState::Completed, "{}"));
    });
}

#[test]
fn result_keeps_every_digit_and_is_inline_only_if_portable() {
    run(|world| async move {
        let exact = r#"{"n":1000000000000000000001,"x":1.10}"#;
        let inline = routed(&world, reply(200, "text/json; charset=utf-8", format!("\u{feff}{exact}"))).await;
        assert_eq!(inline.result.unwrap().get(), exact);
        let lines = format!("{{\"result\":{exact}}}");
        assert_eq!(
            routed(&world, reply(200, "application/x-ndjson", lines)).await.result.unwrap().get(),
            exact
        );
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let deepest = routed(&world, reply(200, "application/json", nested(61))).await;
        assert_eq!(deepest.result.unwrap().get(), nested(61));
        for text in [nested(62), "9".repeat(381), "\"\\ud800\"".to_owned()] {
            let document = routed(&world, reply(200, "application/json", text.clone())).await;
            assert_eq!((document.state, &document.result), (TaskState::Completed, &None));
            let blob = world.blob(&document.result_blob.unwrap().name).unwrap();
            assert_eq!(
                (&blob.content[..], blob.content_type.as_str()),
                (text.as_bytes(), "application/json")
            );
        }
    });
}

#[test]
fn built_in_handlers_accept_only_text() {
    run(|world| async move {
        let worker = world.worker(&[]);
        let with = |name: &'static str, input: &'static str| {
            let world = std::rc::Rc::clone(&world);
            let worker = &worker;
            async move {
                let id =
                    world.submit(name, |document| document.input = Some(Json::parse(input).unwrap())).await;
                worker.drain().await;
                world.document(id)
            }
        };
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let checksum = with("checksum", "\"abc\"").await;
        assert_eq!(checksum.result.unwrap().value(), json!({ "sha256": digest, "bytes": 3 }));
        let statistics = with("text-statistics", "\"grüne Äpfel\\nzwei\"").await;
        assert_eq!(statistics.result.unwrap().value(), json!({ "lines": 2, "words": 3, "characters": 16 }));
        for name in ["checksum", "text-statistics"] {
            let refused = with(name, "{\"text\":1}").await;
            assert_eq!(refused.state, TaskState::Failed);
            assert_eq!(refused.error.unwrap().message, format!("Input of a {name} task must be a string"));
        }
    });
}

#[test]
fn simulated_work_depends_on_priority_and_reports_progress() {
    run(|world| async move {
        // With units of 2 s, a task lasts long enough to store progress.
        let worker = world.worker(&[("simulate_unit_ms", "2000")]);
        for (priority, seconds) in [
            (models::TaskPriority::High, 2.0),
            (models::TaskPriority::Medium, 4.0),
            (models::TaskPriority::Low, 6.0),
        ] {
            let id = world.submit("anything", |document| document.priority = priority).await;
            worker.drain().await;
            let document = world.document(id);
            let record = &document.history[0];
            let units = record.ended_at.unwrap().since(record.started_at).as_secs_f64() / seconds;
            assert!((0.9..19.9).contains(&units), "{priority:?}: {units} units");
            assert_eq!((document.percent_complete, document.result), (Some(100), None));
        }
    });
}
