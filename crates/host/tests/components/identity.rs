//! Tokens are fetched once for all requests that need them.

use std::time::Duration;

use fake_azure::Operation;
use futures::future::join_all;
use serde_json::json;

use crate::harness::{NetworkCondition, Setup, request};

const TOKEN_ENDPOINT: &str = "127.0.0.1:42356";

fn submission(number: usize) -> http::Request<bytes::Bytes> {
    request("POST", "/tasks", json!({"TaskName": "x", "Input": number}).to_string())
}

#[tokio::test(start_paused = true)]
async fn forty_requests_to_one_cold_instance_share_one_token() {
    let world = Setup::keyless().in_one_instance().start();
    world.cloud.set_condition(TOKEN_ENDPOINT, NetworkCondition::Slow(Duration::from_secs(2)));
    // One after the other, so that each finds the instance waiting; a burst would get one instance each.
    let responses = join_all((0..40).map(|number| {
        let world = &world;
        async move {
            tokio::time::sleep(Duration::from_millis(10) * u32::try_from(number).unwrap()).await;
            world.call(submission(number)).await
        }
    }))
    .await;
    for response in &responses {
        assert_eq!(response.status(), 202, "{:?}", response.body());
    }
    assert_eq!(world.app.instances("api").1, 1, "the test is about one instance");
    assert_eq!(world.cloud.counts()[&Operation::GetToken], 1);
}

#[tokio::test(start_paused = true)]
async fn forty_requests_to_a_cold_application_all_get_responses() {
    let world = Setup::keyless().start();
    world.cloud.set_condition(TOKEN_ENDPOINT, NetworkCondition::Slow(Duration::from_secs(2)));
    let responses = join_all((0..40).map(|number| world.call(submission(number)))).await;
    for response in &responses {
        assert_eq!(response.status(), 202, "{:?}", response.body());
    }
    let (_, instances) = world.app.instances("api");
    let tokens = world.cloud.counts()[&Operation::GetToken];
    assert!(tokens <= instances.try_into().unwrap(), "{tokens} tokens for {instances} instances");
}

#[tokio::test(start_paused = true)]
async fn broken_token_endpoint_is_503_and_the_next_request_tries_again() {
    let world = Setup::keyless().start();
    world.cloud.set_condition(TOKEN_ENDPOINT, NetworkCondition::Down);
    assert_eq!(world.call(submission(0)).await.status(), 503);
    world.cloud.set_condition(TOKEN_ENDPOINT, NetworkCondition::Slow(Duration::ZERO));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.call(submission(1)).await.status(), 202);
}
