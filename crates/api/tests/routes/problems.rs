use http::{Method, StatusCode};
use service::problem::Kind;

use crate::world::{ID, World};

#[tokio::test(start_paused = true)]
async fn a_wrong_method_is_405_with_the_right_ones_and_options_tells_them_too() {
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
        ("/healthz".to_owned(), "GET, HEAD, OPTIONS"),
        ("/metrics".to_owned(), "GET, HEAD, OPTIONS"),
        ("/".to_owned(), "GET, HEAD, OPTIONS"),
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::PATCH, Method::TRACE] {
            if allow.split(", ").any(|allowed| allowed == method.as_str()) {
                continue;
            }
            let reply = world.ask(method.clone(), &path, &[], "").await;
            assert_eq!(reply.kind(), (405, "method-not-allowed".to_owned()), "{method} {path}");
            assert_eq!(reply.header("allow"), allow);
        }
        let reply = world.ask(Method::OPTIONS, &path, &[], "").await;
        assert_eq!((reply.status, reply.header("allow")), (StatusCode::NO_CONTENT, allow));
        assert_eq!(reply.header("access-control-allow-origin"), "");
    }
    assert_eq!(world.ask(Method::OPTIONS, "/nothing", &[], "").await.kind().0, 404);
}

#[tokio::test(start_paused = true)]
async fn configuration_that_cannot_be_used_is_named_but_never_shown() {
    for (name, value) in [
        ("api_auth", "s3cret-nonsense"),
        ("api_auth", "api-key"),
        ("sas_token_expiry_minutes", "s3cret-nonsense"),
        ("public_base_url", "s3cret-nonsense"),
    ] {
        let world = World::with(&[(name, value)]);
        for (method, path) in [(Method::POST, "/tasks"), (Method::GET, "/tasks"), (Method::GET, "/metrics")] {
            let reply = world.ask(method, path, &[], "{}").await;
            assert_eq!(reply.kind(), (503, "misconfigured".to_owned()));
            let text = String::from_utf8(reply.body.to_vec()).unwrap();
            assert!(text.contains(name) || text.contains("api_key_hashes"), "{text}");
            assert!(!text.contains("s3cret"));
        }
        let logged = format!("{:?}", world.env.lines.borrow());
        assert!(
            logged.contains("must be") && logged.contains("; it ") && !logged.contains("s3cret"),
            "{logged}"
        );
        assert_eq!(world.get("/").await.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_beyond_all_measure_is_refused() {
    let world = World::new();
    let long = "x".repeat(8 * 1024);
    assert_eq!(world.get(&format!("/tasks?name={long}")).await.kind(), (414, "address-too-long".to_owned()));
    let headers: Vec<_> = ["a", "b", "c", "d"].map(|name| (name, long.as_str())).into();
    let reply = world.ask(Method::GET, "/tasks", &headers, "").await;
    assert_eq!(reply.kind(), (431, "headers-too-large".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_problem_names_the_path_without_its_query() {
    let problem = World::new().get(&format!("/tasks/{ID}?sig=secret")).await.problem();
    assert_eq!(problem.instance, Some(format!("/tasks/{ID}")));
    assert_eq!(problem.kind, "/problems/task-not-found");
}

#[test]
fn the_table_of_problems_in_the_documentation_is_the_one_in_the_code() {
    let document = include_str!("../../../../docs/api.md");
    let written: Vec<_> = document.lines().filter(|line| line.starts_with("| `/problems/")).collect();
    let expected: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| format!("| `/problems/{}` | {} | {} |", kind.name(), kind.status(), kind.title()))
        .collect();
    assert_eq!(written.len(), expected.len());
    for (written, expected) in written.iter().zip(&expected) {
        assert!(written.starts_with(expected.as_str()), "{written}\nshould begin with\n{expected}");
    }
}
