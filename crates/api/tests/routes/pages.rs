use http::{Method, StatusCode};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn pages_are_served_from_assets_and_revalidated_by_etag() {
    let world = World::new();
    for (path, asset) in [
        ("/", "index.html"),
        ("/swagger", "swagger/index.html"),
        ("/openapi.json", r#"{"servers":[{"url":"."}]}"#),
        ("/swagger/v1/swagger.json", r#"{"servers":[{"url":"../.."}]}"#),
        ("/js/app.js", "js/app.js"),
    ] {
        let response = world.get(path).await;
        assert_eq!((response.status, &response.body[..]), (StatusCode::OK, asset.as_bytes()), "{path}");
        assert_eq!(response.header("cache-control"), "no-cache");
        assert!(response.header("content-security-policy").starts_with("default-src 'self';"));
        let known = [("if-none-match", response.header("etag"))];
        let again = world.ask(Method::GET, path, &known, "").await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
        let head = world.ask(Method::HEAD, path, &[], "").await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    }
    assert_eq!(world.get("/js/other.js").await.kind(), (404, "not-found".to_owned()));
    assert_eq!(world.get("/../Cargo.toml").await.kind(), (404, "not-found".to_owned()));
    assert!(world.take_operations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn other_addresses_of_the_reference_redirect_to_swagger() {
    let world = World::new();
    for path in ["/swagger/", "/swagger/index.html"] {
        let response = world.get(path).await;
        // Relative, so that it leads through whatever a gateway puts in front.
        assert_eq!(
            (response.status, response.header("location")),
            (StatusCode::PERMANENT_REDIRECT, "../swagger")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn server_address_is_relative_to_each_address_of_the_description() {
    let world = World::new();
    assert_eq!(world.get("/openapi.json").await.json()["servers"][0]["url"], ".");
    assert_eq!(world.get("/swagger/v1/swagger.json").await.json()["servers"][0]["url"], "../..");
}
