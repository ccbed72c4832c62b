//! The routes of the worker, the drain token and problem responses.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::Value;
use test_world::Fault;

use crate::world::{TestWorker, drain_request, run};

async fn ask(
    worker: &TestWorker,
    method: Method,
    path: &str,
    authorization: Option<&str>,
) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(format!("http://worker{path}"));
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    worker.ask(request.body(Bytes::new()).unwrap()).await
}

#[test]
fn drain_without_the_token_is_401() {
    run(|world| async move {
        let worker = world.worker(&[]);
        for wrong in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer Sesame"),
            Some("Bearer sesam"),
            Some("Basic sesame"),
            Some("sesame"),
            Some("Bearer sesame sesame"),
        ] {
            let (status, problem) = ask(&worker, Method::POST, "/drain", wrong).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong:?}");
            assert_eq!(problem["type"], "/problems/unauthorized");
            assert!(!problem.to_string().contains("sesame"));
        }
        for right in ["Bearer sesame", "bearer sesame", "BEARER  sesame "] {
            assert_eq!(ask(&worker, Method::POST, "/drain", Some(right)).await.0, StatusCode::OK, "{right}");
        }
        assert!(world.requests().iter().all(|line| !line.is_empty()));
    });
}

#[test]
fn drain_without_a_configured_token_is_403_with_advice() {
    run(|world| async move {
        let worker = world.worker(&[("drain_token", "")]);
        for presented in [None, Some("Bearer "), Some("Bearer sesame")] {
            let (status, problem) = ask(&worker, Method::POST, "/drain", presented).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert!(problem["detail"].as_str().unwrap().contains("drain_token"));
        }
        assert!(world.requests().is_empty(), "storage is not asked");
    });
}

#[test]
fn other_methods_and_paths_are_problems() {
    run(|world| async move {
        let worker = world.worker(&[]);
        let response = worker.respond(Request::get("http://worker/drain").body(Bytes::new()).unwrap()).await;
        assert_eq!(
            (response.status(), &response.headers()["allow"]),
            (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
        );
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(ask(&worker, Method::GET, "/healthz", None).await.0, StatusCode::OK);
        assert_eq!(ask(&worker, Method::POST, "/healthz", None).await.0, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(ask(&worker, Method::POST, "/drain/", None).await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&worker, Method::GET, "/", None).await.1["status"], 404);
    });
}

#[test]
fn unusable_configuration_is_named_without_its_value() {
    run(|world| async move {
        for (name, value) in [
            ("max_concurrency", "very many"),
            ("task_handlers", "nonsense"),
            ("storage_connection_string", "AccountName=only"),
            ("storage_connection_string", ""),
        ] {
            let worker = world.worker(&[(name, value)]);
            let (status, problem) = worker.ask(drain_request(Bytes::new())).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{name}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(name) || value.is_empty(), "{detail}");
            assert!(value.is_empty() || !detail.contains(value), "{detail}");
            assert_eq!(ask(&worker, Method::GET, "/healthz", None).await.0, StatusCode::OK, "{name}");
        }
    });
}

#[test]
fn refused_credentials_are_503_with_advice() {
    run(|world| async move {
        let worker = world.worker(&[]);
        world.fail(|_| Fault::status(403));
        let (status, problem) = worker.ask(drain_request(Bytes::new())).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(problem["detail"].as_str().unwrap().contains("storage_connection_string"), "{problem}");
    });
}
