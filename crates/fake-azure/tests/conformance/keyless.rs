//! Bearer tokens: what is refused. That they work, every other scenario shows when it runs with them.

use azure::{Limits, UNOBSERVED};
use bytes::Bytes;
use http::Request;

use crate::differences;
use crate::ground::{Ground, IDENTITY_ENDPOINT, IDENTITY_HEADER, encode};

/// A token from the ground's identity endpoint.
async fn token(ground: &Ground, resource: &str) -> String {
    let request =
        Request::get(format!("{IDENTITY_ENDPOINT}?api-version=2019-08-01&resource={}", encode(resource)))
            .header("x-identity-header", IDENTITY_HEADER)
            .body(Bytes::new())
            .unwrap();
    let response = ground.env.send(request, Limits::default(), UNOBSERVED).await.unwrap();
    let token: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    token["access_token"].as_str().unwrap().to_owned()
}

pub(crate) async fn delegation_key_needs_a_token(ground: &Ground) {
    let url = format!("{}/?restype=service&comp=userdelegationkey&{}", ground.blob_url, ground.account_sas());
    let body = "<KeyInfo><Start>2026-11-20T10:00:00Z</Start><Expiry>2026-11-21T10:00:00Z</Expiry></KeyInfo>";
    let response = ground.send("POST", &url, &[("x-ms-version", "2023-11-03")], body).await;
    differences::KEY_FOR_DELEGATION.check(ground.kind, &response);
}

pub(crate) async fn token_for_something_else_is_refused(ground: &Ground) {
    let authorization = format!("Bearer {}", token(ground, "https://vault.azure.net").await);
    let headers = [("authorization", authorization.as_str()), ("x-ms-version", "2023-11-03")];
    let response = ground.send("GET", &format!("{}/?comp=list", ground.blob_url), &headers, "").await;
    differences::WRONG_AUDIENCE.check(ground.kind, &response);
}

pub(crate) async fn token_that_is_none_is_refused(ground: &Ground) {
    let token = token(ground, "https://storage.azure.com/").await;
    let truncated = token.get(..token.len() / 3).unwrap();
    let authorization = format!("Bearer {truncated}");
    let headers = [("authorization", authorization.as_str()), ("x-ms-version", "2023-11-03")];
    let response = ground.send("GET", &format!("{}/?comp=list", ground.blob_url), &headers, "").await;
    differences::NO_TOKEN.check(ground.kind, &response);
}
