//! Schedules: create, change, read, pause, run and delete, by one client and by several at once.

use std::time::Duration;

use fake_azure::{EMULATOR_ACCOUNT, Operation};
use http::{Method, StatusCode};
use models::{MonitorState, ScheduleList, ScheduleState, ScheduleView, TaskId};
use storage::QueueName;
use test_world::{CONTAINER, Fault, START};

use crate::world::{TestResponse, World};

const ENABLED: [(&str, &str); 1] = [("schedules", "true")];
const NIGHTLY: &str = "/schedules/nightly";
/// Every day at six in Berlin, which is five o'clock UTC in winter.
const BODY: &str = r#"{"Cron":"0 6 * * *","TimeZone":"Europe/Berlin","Task":{"TaskName":"report"}}"#;
/// SHA-256 of "secret" and of "other".
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
const OTHER: &str = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";

fn enabled() -> World {
    World::with(&ENABLED)
}

fn shown(response: &TestResponse) -> ScheduleView {
    assert!(response.status.is_success(), "{}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

fn list(response: &TestResponse) -> Vec<ScheduleView> {
    let list: ScheduleList = serde_json::from_slice(&response.body).unwrap();
    list.value
}

fn firings(view: &ScheduleView) -> Vec<String> {
    view.next_firings.iter().map(ToString::to_string).collect()
}

async fn put_as(world: &World, path: &str, headers: &[(&str, &str)], body: &str) -> TestResponse {
    world.ask(Method::PUT, path, headers, body).await
}

async fn put(world: &World, path: &str, body: &str) -> TestResponse {
    put_as(world, path, &[], body).await
}

/// The messages that wake a worker, with their delays.
fn wake_ups(world: &World) -> Vec<Duration> {
    let scheduled = world.sent().into_iter().filter(|sent| sent.queue == QueueName::Scheduled);
    scheduled.filter(|sent| models::WakeUp::parse(&sent.text).is_some()).map(|sent| sent.delay).collect()
}

#[tokio::test(start_paused = true)]
async fn schedule_is_created_changed_listed_and_deleted() {
    let world = enabled();
    let created = put(&world, NIGHTLY, BODY).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text());
    let view = shown(&created);
    assert_eq!((view.name.as_str(), view.status), ("nightly", ScheduleState::Active));
    let expected: Vec<_> = (21..26).map(|day| format!("2026-11-{day}T05:00:00.000Z")).collect();
    assert_eq!(firings(&view), expected);
    assert_eq!(view.created_date_time.to_string(), START);

    let found = world.get(NIGHTLY).await;
    assert_eq!((shown(&found), found.header("etag")), (view.clone(), created.header("etag")));

    tokio::time::sleep(Duration::from_secs(60)).await;
    let replaced =
        put(&world, NIGHTLY, r#"{"Interval":"PT1H","Missed":"all","Overlap":"skip","Task":{}}"#).await;
    assert_eq!(replaced.status, StatusCode::OK);
    assert_ne!(replaced.header("etag"), created.header("etag"));
    let view = shown(&replaced);
    assert_eq!((view.cron, view.time_zone, view.interval.as_deref()), (None, None, Some("PT1H")));
    assert_eq!(view.created_date_time.to_string(), START);
    assert_eq!(view.changed_date_time, world.now());

    put(&world, "/schedules/another", BODY).await;
    let all = list(&world.get("/schedules").await);
    let names: Vec<_> = all.iter().map(|view| (view.name.as_str(), view.next_firings.len())).collect();
    assert_eq!(names, [("another", 1), ("nightly", 1)]);

    let deleted = world.ask(Method::DELETE, NIGHTLY, &[], "").await;
    assert_eq!((deleted.status, deleted.body.len()), (StatusCode::NO_CONTENT, 0));
    for (method, path) in [
        (Method::GET, NIGHTLY.to_owned()),
        (Method::DELETE, NIGHTLY.to_owned()),
        (Method::POST, format!("{NIGHTLY}:pause")),
        (Method::POST, format!("{NIGHTLY}:resume")),
        (Method::POST, format!("{NIGHTLY}:run")),
    ] {
        let response = world.ask(method, &path, &[], "").await;
        assert_eq!(response.kind(), (404, "schedule-not-found".to_owned()), "{path}");
    }
    assert_eq!(list(&world.get("/schedules").await).len(), 1);
    assert!(list(&enabled().get("/schedules").await).is_empty(), "without a container");
}

#[tokio::test(start_paused = true)]
async fn next_firings_follow_the_clocks_of_the_zone_and_end() {
    let world = enabled();
    let body = r#"{"Cron":"30 2 * * *","TimeZone":"Europe/Berlin","StartsAt":"2027-03-26T12:00:00Z",
        "EndsAt":"2027-03-29T12:00:00Z","Task":{}}"#;
    let view = shown(&put(&world, NIGHTLY, body).await);
    // On 28 March 2:30 does not exist: it is due when the gap ends.
    let expected = ["2027-03-27T01:30:00.000Z", "2027-03-28T01:00:00.000Z", "2027-03-29T00:30:00.000Z"];
    assert_eq!(firings(&view), expected);
    let over =
        r#"{"Interval":"PT1H","StartsAt":"2026-11-01T00:00:00Z","EndsAt":"2026-11-02T00:00:00Z","Task":{}}"#;
    let view = shown(&put(&world, "/schedules/over", over).await);
    assert_eq!((view.status, view.next_firings.len()), (ScheduleState::Ended, 0));
}

#[tokio::test(start_paused = true)]
async fn invalid_body_is_400_with_the_member_and_nothing_is_stored() {
    let world = enabled();
    let task = |members: &str| format!(r#"{{"Cron":"@daily","Task":{{{members}}}}}"#);
    let with = |members: &str| format!(r#"{{{members},"Task":{{}}}}"#);
    for (body, member) in [
        ("[]".to_owned(), "the body must be one JSON object"),
        (r#"{"Cron":"@daily"}"#.to_owned(), "Task is missing"),
        (r#"{"Cron":"@daily","Task":[]}"#.to_owned(), "Task: "),
        (r#"{"Task":{}}"#.to_owned(), "Cron: "),
        (with(r#""Cron":"@daily","Interval":"PT1H""#), "Interval: "),
        (with(r#""Cron":5"#), "Cron: "),
        (with(r#""Cron":"60 * * * *""#), "Cron: "),
        (with(r#""Cron":"* * * *""#), "Cron: "),
        (with(r#""Cron":"0 0 30 2 *""#), "Cron: "),
        (with(r#""Cron":"@daily","TimeZone":"Mars/Olympus""#), "TimeZone: "),
        (with(r#""Cron":"@daily","TimeZone":"Africa/Casablanca""#), "TimeZone: "),
        (with(r#""Interval":"PT1H","TimeZone":"UTC""#), "TimeZone: "),
        (with(r#""Interval":"PT9S""#), "Interval: "),
        (with(r#""Interval":"P1M""#), "Interval: "),
        (with(r#""Interval":"1 hour""#), "Interval: "),
        (with(r#""Cron":"@daily","StartsAt":"tomorrow""#), "StartsAt: "),
        (with(r#""Cron":"@daily","EndsAt":7"#), "EndsAt: "),
        (
            with(r#""Cron":"@daily","StartsAt":"2027-01-02T00:00:00Z","EndsAt":"2027-01-01T00:00:00Z""#),
            "EndsAt: ",
        ),
        (with(r#""Cron":"@daily","Missed":"Never""#), "Missed: "),
        (with(r#""Cron":"@daily","Overlap":"Once""#), "Overlap: "),
        (task(r#""TaskId":"0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b""#), "Task: must not have TaskId"),
        (task(r#""UniqueKey":"a""#), "Task: must not have UniqueKey"),
        (task(r#""DelaySeconds":5"#), "Task: must not have DelaySeconds"),
        (task(r#""NotBefore":"2026-11-21T00:00:00Z""#), "Task: must not have DelaySeconds or NotBefore"),
        (task(r#""ExpiresAt":"2026-11-21T00:00:00Z""#), "Task: must not have ExpiresAt"),
        (task(r#""Priority":9"#), "Task: Priority: "),
        (task(r#""TaskName":"""#), "Task: TaskName: "),
        (task(r#""CallbackUri":"https://elsewhere.example/""#), "CallbackUri: "),
    ] {
        let response = put(&world, NIGHTLY, &body).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{body}: {}", response.text());
        let problem = response.problem();
        assert_eq!(response.kind(), (400, "invalid-body".to_owned()), "{body}: {problem:?}");
        let detail = problem.detail.unwrap();
        assert!(detail.contains(member), "{body}: {detail}");
    }
    assert!(world.take_operations().is_empty(), "no request to storage");
    let response = put_as(&world, NIGHTLY, &[("content-type", "text/plain")], BODY).await;
    assert_eq!(response.kind(), (415, "unsupported-media-type".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn name_is_checked_before_anything_is_stored() {
    let world = enabled();
    let long = "a".repeat(65);
    for name in ["-a", ".", "a%20b", "%C3%A4", "a,b", &long] {
        let path = format!("/schedules/{name}");
        assert_eq!(put(&world, &path, BODY).await.kind(), (400, "invalid-name".to_owned()), "{name}");
        assert_eq!(world.get(&path).await.kind(), (404, "schedule-not-found".to_owned()), "{name}");
    }
    for name in ["a", "A", "0.1_x-", &long[1..]] {
        let response = put(&world, &format!("/schedules/{name}"), BODY).await;
        assert_eq!(response.status, StatusCode::CREATED, "{name}: {}", response.text());
    }
    assert_eq!(world.get("/schedules?top=1").await.kind(), (400, "invalid-parameter".to_owned()));
    assert_eq!(put(&world, "/schedules/b?x=1", BODY).await.kind(), (400, "invalid-parameter".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn every_route_is_409_without_the_variable() {
    let world = World::new();
    for (method, path) in [
        (Method::GET, "/schedules"),
        (Method::GET, NIGHTLY),
        (Method::PUT, NIGHTLY),
        (Method::DELETE, NIGHTLY),
        (Method::POST, "/schedules/nightly:pause"),
        (Method::POST, "/schedules/nightly:resume"),
        (Method::POST, "/schedules/nightly:run"),
    ] {
        let response = world.ask(method, path, &[], BODY).await;
        assert_eq!(response.kind(), (409, "schedules-disabled".to_owned()), "{path}");
    }
    assert!(world.take_operations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn schedules_are_for_operators_only() {
    let keys = [("api_auth", "api-key"), ("api_key_hashes", OTHER), ("api_operators", SECRET)];
    let world = World::with(&[&keys[..], &ENABLED].concat());
    for (method, path) in [
        (Method::GET, "/schedules"),
        (Method::GET, NIGHTLY),
        (Method::PUT, NIGHTLY),
        (Method::DELETE, NIGHTLY),
        (Method::POST, "/schedules/nightly:run"),
    ] {
        let refused = world.ask(method.clone(), path, &[("api-key", "other")], BODY).await;
        assert_eq!(refused.kind(), (403, "operators-only".to_owned()), "{path}");
        assert_eq!(world.ask(method, path, &[], BODY).await.kind(), (401, "unauthorized".to_owned()));
    }
    let key = [("api-key", "secret")];
    assert_eq!(put_as(&world, NIGHTLY, &key, BODY).await.status, StatusCode::CREATED);
    let run = world.ask(Method::POST, "/schedules/nightly:run", &key, "").await;
    assert_eq!(run.status, StatusCode::ACCEPTED, "{}", run.text());
    let path = run.header("operation-location").replace("http://api.example", "");
    let followed = world.ask(Method::GET, &path, &key, "").await;
    assert_eq!(followed.status, StatusCode::OK, "the task belongs to the caller");
}

#[tokio::test(start_paused = true)]
async fn change_of_another_version_is_412_and_changes_nothing() {
    let world = enabled();
    let missing = put_as(&world, NIGHTLY, &[("if-match", "*")], BODY).await;
    assert_eq!((missing.kind(), missing.header("etag")), ((412, "precondition-failed".to_owned()), ""));
    let create = [("if-none-match", "*")];
    let first = put_as(&world, NIGHTLY, &create, BODY).await.header("etag").to_owned();
    let second = put(&world, NIGHTLY, BODY).await.header("etag").to_owned();
    assert_ne!(first, second);
    let stale = [("if-match", first.as_str())];
    for (method, path, headers) in [
        (Method::PUT, NIGHTLY, &create[..]),
        (Method::PUT, NIGHTLY, &stale),
        (Method::DELETE, NIGHTLY, &stale),
        (Method::POST, "/schedules/nightly:pause", &stale),
        (Method::POST, "/schedules/nightly:resume", &stale),
        (Method::GET, NIGHTLY, &stale),
    ] {
        let response = world.ask(method.clone(), path, headers, BODY).await;
        assert_eq!(response.kind(), (412, "precondition-failed".to_owned()), "{method} {path}");
        assert_eq!(response.header("etag"), second);
    }
    let fresh = [("if-match", second.as_str())];
    let deleted = world.ask(Method::DELETE, NIGHTLY, &fresh, "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn of_two_concurrent_edits_of_one_version_one_is_refused() {
    let world = enabled();
    world.set_latency(Duration::from_millis(10));
    let etag = put(&world, NIGHTLY, BODY).await.header("etag").to_owned();
    let headers = [("if-match", etag.as_str())];
    let other = BODY.replace("report", "other");
    let (one, two) =
        futures::join!(put_as(&world, NIGHTLY, &headers, BODY), put_as(&world, NIGHTLY, &headers, &other));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test(start_paused = true)]
async fn concurrent_edits_of_different_schedules_all_take_effect() {
    let world = enabled();
    world.set_latency(Duration::from_millis(10));
    let paths: Vec<_> = (0..4).map(|number| format!("/schedules/s{number}")).collect();
    let responses = futures::future::join_all(paths.iter().map(|path| put(&world, path, BODY))).await;
    for response in &responses {
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.text());
    }
    assert_eq!(list(&world.get("/schedules").await).len(), 4);
    for (path, response) in paths.iter().zip(&responses) {
        assert_eq!(world.get(path).await.header("etag"), response.header("etag"), "others do not change it");
    }
}

#[tokio::test(start_paused = true)]
async fn paused_schedule_has_no_next_firing_and_stays_paused_after_a_change() {
    let world = enabled();
    put(&world, NIGHTLY, BODY).await;
    let first = world.post("/schedules/nightly:pause", "").await;
    let view = shown(&first);
    assert_eq!((view.status, view.next_firings.len()), (ScheduleState::Paused, 0));
    assert_eq!(view.paused_date_time, Some(world.now()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let again = shown(&world.post("/schedules/nightly:pause", "").await);
    assert_eq!(again.paused_date_time, view.paused_date_time, "the first pause counts");
    assert_eq!(shown(&put(&world, NIGHTLY, BODY).await).status, ScheduleState::Paused);
    for _ in 0..2 {
        let resumed = shown(&world.post("/schedules/nightly:resume", "").await);
        assert_eq!((resumed.status, resumed.paused_date_time), (ScheduleState::Active, None));
        assert_eq!(resumed.next_firings.len(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn change_wakes_a_worker_at_the_next_firing() {
    let world = enabled();
    put(&world, NIGHTLY, r#"{"Interval":"PT1H","StartsAt":"2026-11-20T12:00:00Z","Task":{}}"#).await;
    assert_eq!(wake_ups(&world), [Duration::from_secs(7200)]);
    let sooner = r#"{"Interval":"PT1H","StartsAt":"2026-11-20T10:30:00Z","Task":{}}"#;
    put(&world, "/schedules/sooner", sooner).await;
    assert!(wake_ups(&world).contains(&Duration::from_secs(1800)), "{:?}", wake_ups(&world));
    let far = enabled();
    put(&far, NIGHTLY, r#"{"Cron":"0 0 1 6 *","Task":{}}"#).await;
    let [delay] = wake_ups(&far)[..] else { panic!("one message") };
    assert!(delay <= Duration::from_secs(7 * 86_400), "{delay:?}");
}

#[tokio::test(start_paused = true)]
async fn run_submits_the_task_now_and_changes_no_firing() {
    let world = enabled();
    let body = r#"{"Cron":"@daily","Task":{"TaskName":"report","Priority":"High","Input":{"a":1.50}}}"#;
    put(&world, NIGHTLY, body).await;
    world.post("/schedules/nightly:pause", "").await;
    let before = world.get(NIGHTLY).await;
    let headers = [("idempotency-key", "once")];
    let first = world.ask(Method::POST, "/schedules/nightly:run", &headers, "").await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text());
    let monitor = first.monitor();
    assert_eq!((monitor.status, monitor.priority.as_str()), (MonitorState::NotStarted, "High"));
    assert_eq!(first.header("operation-location"), format!("http://api.example/tasks/{}", monitor.id));
    let stored = world.document(monitor.id).unwrap();
    assert_eq!(stored.input.unwrap().get(), r#"{"a":1.50}"#);
    let again = world.ask(Method::POST, "/schedules/nightly:run", &headers, "").await;
    assert_eq!(again.monitor().id, monitor.id, "the same key");
    let other: TaskId = world.post("/schedules/nightly:run", "").await.monitor().id;
    assert_ne!(other, monitor.id);
    let after = world.get(NIGHTLY).await;
    assert_eq!((after.header("etag"), shown(&after)), (before.header("etag"), shown(&before)));
}

#[tokio::test(start_paused = true)]
async fn number_and_size_of_all_schedules_are_limited() {
    let world = enabled();
    for number in 0..100 {
        let response = put(&world, &format!("/schedules/s{number}"), BODY).await;
        assert_eq!(response.status, StatusCode::CREATED, "{number}: {}", response.text());
    }
    let refused = put(&world, "/schedules/further", BODY).await;
    assert_eq!(refused.kind(), (409, "too-many-schedules".to_owned()));
    assert!(refused.problem().detail.unwrap().contains("100 schedules"));
    assert_eq!(put(&world, "/schedules/s7", BODY).await.status, StatusCode::OK, "a change is possible");
    assert_eq!(list(&world.get("/schedules").await).len(), 100);

    let world = enabled();
    let large = BODY.replace(r#""report""#, &format!(r#""report","Input":"{}""#, "x".repeat(300_000)));
    assert_eq!(put(&world, "/schedules/one", &large).await.status, StatusCode::CREATED);
    let refused = put(&world, "/schedules/two", &large).await;
    assert_eq!(refused.kind(), (409, "too-many-schedules".to_owned()));
    assert!(refused.problem().detail.unwrap().contains("bytes"));
    assert_eq!(list(&world.get("/schedules").await).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn storage_fault_is_503_and_repeating_the_request_succeeds() {
    for operation in [Operation::GetBlob, Operation::PutBlob, Operation::PutMessage] {
        let world = enabled();
        put(&world, "/schedules/first", BODY).await;
        world.fail(
            move |request| {
                if request.operation == operation { Fault::unavailable() } else { Fault::None }
            },
        );
        let sooner = r#"{"Interval":"PT1M","Task":{}}"#;
        let failed = put(&world, NIGHTLY, sooner).await;
        assert_eq!(failed.kind(), (503, "storage-unavailable".to_owned()), "{operation:?}");
        world.end_faults();
        let response = put(&world, NIGHTLY, sooner).await;
        assert!(response.status.is_success(), "{operation:?}: {}", response.text());
        assert!(wake_ups(&world).iter().any(|delay| *delay <= Duration::from_secs(60)), "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_response_of_a_change_is_recognised_as_its_own() {
    let world = enabled();
    put(&world, "/schedules/first", BODY).await;
    world.fail_once(Operation::PutBlob, Fault::ResponseLost);
    let created = put_as(&world, NIGHTLY, &[("if-none-match", "*")], BODY).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text());
    assert_eq!(world.get(NIGHTLY).await.header("etag"), created.header("etag"));
    world.fail_once(Operation::PutBlob, Fault::ResponseLost);
    let deleted = world.ask(Method::DELETE, NIGHTLY, &[], "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn unreadable_schedules_are_502_and_stay_as_they_are() {
    let world = enabled();
    put(&world, NIGHTLY, BODY).await;
    let name = world.blob_names().into_iter().find(|name| name.starts_with("schedules")).unwrap();
    let now = world.now().to_date_time();
    world.azure.borrow_mut().put_blob(EMULATOR_ACCOUNT, CONTAINER, &name, "garbage", "text/plain", now);
    for (method, path) in [
        (Method::GET, "/schedules"),
        (Method::GET, NIGHTLY),
        (Method::PUT, NIGHTLY),
        (Method::DELETE, NIGHTLY),
        (Method::POST, "/schedules/nightly:run"),
    ] {
        let response = world.ask(method, path, &[], BODY).await;
        assert_eq!(response.kind(), (502, "document-unreadable".to_owned()), "{path}");
        assert!(response.problem().detail.unwrap().contains("schedules"));
    }
    assert_eq!(&world.blob(&name).unwrap().content[..], b"garbage");
}

/// Changes the stored schedules, as another release may have written them.
fn rewrite(world: &World, change: impl Fn(&str) -> String) {
    let text = String::from_utf8(world.blob("schedules").unwrap().content.to_vec()).unwrap();
    let (text, now) = (change(&text), world.now().to_date_time());
    world.azure.borrow_mut().put_blob(EMULATOR_ACCOUNT, CONTAINER, "schedules", text, "text/plain", now);
}

#[tokio::test(start_paused = true)]
async fn schedule_of_another_release_is_counted_and_can_be_replaced_or_deleted() {
    let world = enabled();
    for name in ["newer", "nightly", "other"] {
        put(&world, &format!("/schedules/{name}"), BODY).await;
    }
    // The second and the third one, in the order of names, stay as they are.
    rewrite(&world, |text| text.replacen(r#""Missed":"Once""#, r#""Missed":"Latest""#, 1));
    let listed: ScheduleList = serde_json::from_slice(&world.get("/schedules").await.body).unwrap();
    assert_eq!((listed.value.len(), listed.unreadable), (2, 1));
    assert!(world.get(NIGHTLY).await.status.is_success());
    let newer = "/schedules/newer";
    for (method, path) in [
        (Method::GET, newer.to_owned()),
        (Method::POST, format!("{newer}:run")),
        (Method::POST, format!("{newer}:pause")),
        (Method::POST, format!("{newer}:resume")),
    ] {
        let response = world.ask(method, &path, &[], "").await;
        assert_eq!(response.kind(), (502, "document-unreadable".to_owned()), "{path}");
    }
    assert_eq!(put(&world, NIGHTLY, r#"{"Interval":"PT1H","Task":{}}"#).await.status, StatusCode::OK);
    let stored = String::from_utf8(world.blob("schedules").unwrap().content.to_vec()).unwrap();
    assert!(stored.contains(r#""Missed":"Latest""#), "a change of another schedule keeps it: {stored}");

    assert_eq!(put(&world, newer, BODY).await.status, StatusCode::CREATED);
    let all = list(&world.get("/schedules").await);
    assert_eq!(all.iter().map(|view| view.name.as_str()).collect::<Vec<_>>(), ["newer", "nightly", "other"]);
    rewrite(&world, |text| text.replacen(r#""Missed":"Once""#, r#""Missed":7"#, 1));
    assert_eq!(world.ask(Method::DELETE, newer, &[], "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(newer).await.kind(), (404, "schedule-not-found".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn schedules_are_no_tasks_in_the_list() {
    let world = enabled();
    put(&world, NIGHTLY, BODY).await;
    assert_eq!(world.get("/tasks").await.json(), serde_json::json!({ "value": [] }));
}
