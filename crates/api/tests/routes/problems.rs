use http::{Method, StatusCode};
use service::problem::ProblemKind;

use crate::world::{ID, World};

#[tokio::test(start_paused = true)]
async fn wrong_method_is_405_and_options_lists_the_allowed_ones() {
    let world = World::new();
    let task = format!("/tasks/{ID}");
    for (path, allow) in [
        ("/tasks".to_owned(), "GET, HEAD, POST, OPTIONS"),
        ("/Tasks/QueueTask".to_owned(), "POST, OPTIONS"),
        (task.clone(), "GET, HEAD, DELETE, OPTIONS"),
        (format!("{task}/result"), "GET, HEAD, OPTIONS"),
        (format!("{task}/events"), "GET, HEAD, OPTIONS"),
        (format!("{task}/cancel"), "POST, OPTIONS"),
        (format!("{task}/retry"), "POST, OPTIONS"),
        ("/queue".to_owned(), "GET, HEAD, OPTIONS"),
        ("/queue:pause".to_owned(), "POST, OPTIONS"),
        ("/queue:resume".to_owned(), "POST, OPTIONS"),
        ("/poison".to_owned(), "GET, HEAD, OPTIONS"),
        (format!("/poison/{ID}"), "GET, HEAD, DELETE, OPTIONS"),
        (format!("/poison/{ID}/replay"), "POST, OPTIONS"),
        ("/poison:replay".to_owned(), "POST, OPTIONS"),
        ("/poison:delete".to_owned(), "POST, OPTIONS"),
        ("/schedules".to_owned(), "GET, HEAD, OPTIONS"),
        ("/schedules/a".to_owned(), "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/schedules/a:pause".to_owned(), "POST, OPTIONS"),
        ("/schedules/a:run".to_owned(), "POST, OPTIONS"),
        ("/healthz".to_owned(), "GET, HEAD, OPTIONS"),
        ("/metrics".to_owned(), "GET, HEAD, OPTIONS"),
        ("/".to_owned(), "GET, HEAD, OPTIONS"),
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::PATCH, Method::TRACE] {
            if allow.split(", ").any(|allowed| allowed == method.as_str()) {
                continue;
            }
            let response = world.ask(method.clone(), &path, &[], "").await;
            assert_eq!(response.kind(), (405, "method-not-allowed".to_owned()), "{method} {path}");
            assert_eq!(response.header("allow"), allow);
        }
        let response = world.ask(Method::OPTIONS, &path, &[], "").await;
        assert_eq!((response.status, response.header("allow")), (StatusCode::NO_CONTENT, allow));
        assert_eq!(response.header("access-control-allow-origin"), "");
    }
    assert_eq!(world.ask(Method::OPTIONS, "/nothing", &[], "").await.kind().0, 404);
}

#[tokio::test(start_paused = true)]
async fn invalid_variable_is_503_with_its_name_and_without_its_value() {
    for (name, value) in [
        ("api_auth", "s3cret-nonsense"),
        ("api_auth", "api-key"),
        ("sas_token_expiry_minutes", "s3cret-nonsense"),
        ("public_base_url", "s3cret-nonsense"),
    ] {
        let world = World::with(&[(name, value)]);
        for (method, path) in [(Method::POST, "/tasks"), (Method::GET, "/tasks"), (Method::GET, "/metrics")] {
            let response = world.ask(method, path, &[], "{}").await;
            assert_eq!(response.kind(), (503, "misconfigured".to_owned()));
            let text = String::from_utf8(response.body.to_vec()).unwrap();
            assert!(text.contains(name) || text.contains("api_key_hashes"), "{text}");
            assert!(!text.contains("s3cret"));
        }
        let logged = format!("{:?}", world.lines());
        assert!(
            logged.contains("must be") && logged.contains("; it ") && !logged.contains("s3cret"),
            "{logged}"
        );
        assert_eq!(world.get("/").await.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn long_address_is_414_and_large_headers_are_431() {
    let world = World::new();
    let long = "x".repeat(8 * 1024);
    assert_eq!(world.get(&format!("/tasks?name={long}")).await.kind(), (414, "address-too-long".to_owned()));
    let headers: Vec<_> = ["a", "b", "c", "d"].map(|name| (name, long.as_str())).into();
    let response = world.ask(Method::GET, "/tasks", &headers, "").await;
    assert_eq!(response.kind(), (431, "headers-too-large".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn problem_instance_is_the_path_without_its_query() {
    let problem = World::new().get(&format!("/tasks/{ID}?sig=secret")).await.problem();
    assert_eq!(problem.instance, Some(format!("/tasks/{ID}")));
    assert_eq!(problem.kind, "/problems/task-not-found");
}

#[test]
fn documented_table_of_problems_equals_the_code() {
    let document = include_str!("../../../../docs/api.md");
    let written: Vec<_> = document.lines().filter(|line| line.starts_with("| `/problems/")).collect();
    let expected: Vec<_> = ProblemKind::ALL
        .iter()
        .map(|kind| format!("| `/problems/{}` | {} | {} |", kind.name(), kind.status(), kind.title()))
        .collect();
    assert_eq!(written.len(), expected.len());
    for (written, expected) in written.iter().zip(&expected) {
        assert!(written.starts_with(expected.as_str()), "{written}\nshould begin with\n{expected}");
    }
}
