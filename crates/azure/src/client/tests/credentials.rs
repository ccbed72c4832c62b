use futures::future::{Either, join, select};

use super::*;
use crate::Clock as _;
use crate::Part;

/// Makes `count` calls concurrently and returns how many succeeded.
fn together(script: &Script, storage: &StorageClient, count: usize) -> usize {
    let calls = (0..count).map(|_| some_call(storage));
    script.run(join_all(calls)).iter().filter(|outcome| outcome.is_ok()).count()
}

fn fetches(script: &Script, host: &str) -> usize {
    script.requests().iter().filter(|(_, request)| is_for(request, host)).count()
}

#[test]
fn one_token_fetch_serves_forty_concurrent_calls() {
    let script = Script::new(|request| match is_for(request, "localhost") {
        true => token("t1", 3600).after(2),
        false => ScriptedResponse::status(204),
    });
    let storage = keyless(&script);
    assert_eq!(together(&script, &storage, 40), 40);
    let requests = script.requests();
    assert_eq!(requests.iter().filter(|(_, request)| is_for(request, "localhost")).count(), 1);
    assert!(requests.iter().skip(1).all(|(_, request)| authorization(request) == "Bearer t1"));
}

#[test]
fn cancelled_fetch_is_taken_over_by_the_next_call() {
    let script = Script::new(|request| match is_for(request, "localhost") {
        true => token("t1", 3600).after(5),
        false => ScriptedResponse::status(204),
    });
    let storage = keyless(&script);
    let impatient = async {
        let call = std::pin::pin!(some_call(&storage));
        let patience = std::pin::pin!(script.sleep(Duration::from_secs(1)));
        matches!(select(call, patience).await, Either::Right(_))
    };
    let (gave_up, succeeded) = script.run(join(impatient, some_call(&storage)));
    assert!(gave_up);
    assert_eq!(succeeded, Ok(()));
    assert_eq!(fetches(&script, "localhost"), 2);
}

#[test]
fn stale_token_is_used_while_one_call_refreshes_it() {
    let mut issued = 0;
    let script = Script::new(move |request| {
        if !is_for(request, "localhost") {
            return ScriptedResponse::status(204);
        }
        issued += 1;
        token(&format!("t{issued}"), 3600 * issued).after(1)
    });
    let storage = keyless(&script);
    assert_eq!(together(&script, &storage, 1), 1);
    script.advance(3600 - 301 - 1);
    assert_eq!(together(&script, &storage, 3), 3);
    assert_eq!(fetches(&script, "localhost"), 1, "not due before 300 s are left");
    script.advance(1);
    assert_eq!(together(&script, &storage, 5), 5);
    let tokens: Vec<_> =
        script.requests().iter().map(|(_, request)| authorization(request).to_owned()).collect();
    assert_eq!(tokens.iter().filter(|text| text.is_empty()).count(), 1, "one fetch");
    assert_eq!(
        tokens.iter().filter(|text| *text == "Bearer t1").count(),
        4,
        "who did not fetch did not wait"
    );
    assert_eq!(tokens.iter().filter(|text| *text == "Bearer t2").count(), 1);
}

#[test]
fn rejected_token_is_renewed_once_for_all_calls() {
    let mut issued = 0;
    let script = Script::new(move |request| {
        if is_for(request, "localhost") {
            issued += 1;
            return token(&format!("t{issued}"), 3600);
        }
        ScriptedResponse::status(if authorization(request) == "Bearer t1" && issued > 0 { 401 } else { 204 })
            .after(1)
    });
    let storage = keyless(&script);
    // The first token has to be older than the pause between two fetches.
    assert!(script.run(storage.inner.authorization()).is_ok());
    script.advance(6);
    assert_eq!(together(&script, &storage, 10), 10);
    let seen = script.seen();
    assert_eq!(seen.iter().filter(|line| line.contains("localhost")).count(), 2, "{seen:?}");
    assert_eq!(seen.len(), 2 + 20);
}

#[test]
fn always_rejected_token_is_not_fetched_repeatedly() {
    let script = Script::new(|request| match is_for(request, "localhost") {
        true => token("t", 3600),
        false => ScriptedResponse::status(401).header("x-ms-error-code", "InvalidAuthenticationInfo"),
    });
    let storage = keyless(&script);
    let refused = |_: usize| {
        let error = script.run(some_call(&storage)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Clear Messages: Queue Storage refused the credentials (401 InvalidAuthenticationInfo)"
        );
        fetches(&script, "localhost")
    };
    assert_eq!(refused(0), 1, "fetched just now: another one would be refused too");
    script.advance(6);
    assert_eq!(refused(1), 1);
    assert_eq!(refused(2), 0, "not again within the pause");
}

#[test]
fn missing_role_is_an_error_without_a_retry() {
    let script = Script::new(|request| match is_for(request, "localhost") {
        true => token("t", 3600),
        false => ScriptedResponse::status(403).header("x-ms-error-code", "AuthorizationPermissionMismatch"),
    });
    let storage = keyless(&script);
    script.run(some_call(&storage)).unwrap_err();
    script.advance(60);
    let error = script.run(some_call(&storage)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unauthorized { part: Part::Queue, status: 403, .. }));
    assert_eq!(script.seen().len(), 3, "one token, one try each");
}

#[test]
fn failing_identity_endpoint_is_called_at_growing_intervals() {
    let script = Script::new(|_| ScriptedResponse::status(500));
    script.random.set(u64::MAX);
    let storage = keyless(&script);
    assert_eq!(together(&script, &storage, 40), 0);
    assert_eq!(script.seen().len(), 3, "three tries for all forty calls");
    assert_eq!(together(&script, &storage, 40), 0);
    assert_eq!(script.seen().len(), 0, "the pause of a second is not over");
    script.advance(1);
    let error = script.run(some_call(&storage)).unwrap_err();
    assert_eq!(error.to_string(), "Get Token: not available: the managed identity endpoint responded 500");
    assert_eq!(script.seen().len(), 3);
    script.advance(1);
    assert_eq!(together(&script, &storage, 1), 0);
    assert_eq!(script.seen().len(), 0, "now it is two seconds");
    script.respond_with(|request| match is_for(request, "localhost") {
        true => token("t", 3600),
        false => ScriptedResponse::status(204),
    });
    script.advance(1);
    assert_eq!(together(&script, &storage, 1), 1);
}

#[test]
fn stale_token_is_used_during_an_identity_outage() {
    let script = Script::new(|request| match is_for(request, "localhost") {
        true => token("t", 3600),
        false => ScriptedResponse::status(204),
    });
    let storage = keyless(&script);
    assert_eq!(together(&script, &storage, 1), 1);
    script.respond_with(|request| {
        ScriptedResponse::status(if is_for(request, "localhost") { 503 } else { 204 })
    });
    script.advance(3600 - 200);
    assert_eq!(together(&script, &storage, 1), 1);
    script.advance(200);
    assert_eq!(together(&script, &storage, 1), 0, "it has expired");
}

#[test]
fn wall_clock_set_back_extends_no_token_secret_or_pause() {
    let script = Script::new(|request| match request.uri().host().unwrap() {
        "localhost" => token("v", 3600),
        "vault.example" => secret("b2xk"),
        _ => ScriptedResponse::status(204),
    });
    let (direct, storage) = (keyless(&script), vaulted(&script));
    assert_eq!(together(&script, &direct, 1) + together(&script, &storage, 1), 2);
    script.set_clock(time::Duration::hours(-3));
    script.seen();
    script.advance(900);
    assert_eq!(together(&script, &storage, 1), 1);
    assert_eq!(fetches(&script, "vault"), 1, "the secret is 900 s old");
    script.advance(2700);
    assert_eq!(together(&script, &direct, 1), 1);
    assert_eq!(fetches(&script, "localhost"), 1, "the token has had its hour");

    let script = Script::new(|_| ScriptedResponse::status(500));
    let storage = keyless(&script);
    assert_eq!(together(&script, &storage, 1), 0);
    script.set_clock(time::Duration::hours(-3));
    script.seen();
    script.advance(30);
    assert_eq!(together(&script, &storage, 1), 0);
    assert_eq!(script.seen().len(), 3, "the pause is over");
}

#[test]
fn vault_secret_is_read_again_at_its_maximum_age() {
    let script = Script::new(|request| match request.uri().host().unwrap() {
        "localhost" => token("v", 86_400).after(1),
        "vault.example" => secret("b2xk").after(1),
        _ => ScriptedResponse::status(204),
    });
    let storage = vaulted(&script);
    assert_eq!(together(&script, &storage, 40), 40);
    let seen = script.seen();
    assert_eq!(
        seen[..3],
        [
            "10:00:00 GET localhost/msi/token",
            "10:00:01 GET vault/secrets/StorageCS",
            "10:00:02 DELETE acct/jobs/messages"
        ]
    );
    assert_eq!(seen.len(), 42);
    script.advance(899);
    assert_eq!(together(&script, &storage, 1), 1);
    assert_eq!(script.seen().len(), 1);
    script.advance(1);
    assert_eq!(together(&script, &storage, 1), 1);
    assert_eq!(script.seen(), ["10:15:02 GET vault/secrets/StorageCS", "10:15:03 DELETE acct/jobs/messages"]);
}

#[test]
fn stale_secret_is_used_during_a_vault_outage() {
    let script = Script::new(|request| match request.uri().host().unwrap() {
        "localhost" => token("v", 86_400),
        "vault.example" => secret("b2xk"),
        _ => ScriptedResponse::status(204),
    });
    let storage = vaulted(&script);
    assert_eq!(together(&script, &storage, 1), 1);
    script.respond_with(|request| ScriptedResponse::status(if is_for(request, "vault") { 503 } else { 204 }));
    script.advance(3600);
    assert_eq!(together(&script, &storage, 10), 10);
    script.respond_with(|request| ScriptedResponse::status(if is_for(request, "vault") { 403 } else { 204 }));
    script.advance(60);
    let error = script.run(some_call(&storage)).unwrap_err();
    assert_eq!(error.to_string(), "Get Secret: Key Vault refused the credentials (403)");
}

#[test]
fn rotated_key_is_read_once_for_all_calls() {
    let rotated = Rc::new(Cell::new(false));
    let is_rotated = Rc::clone(&rotated);
    let script = Script::new(move |request| match request.uri().host().unwrap() {
        "localhost" => token("v", 86_400),
        "vault.example" => secret(if is_rotated.get() { "bmV3" } else { "b2xk" }).after(1),
        _ => {
            let connection =
                format!("AccountName=acct;AccountKey={}", if is_rotated.get() { "bmV3" } else { "b2xk" });
            let account = crate::ConnectionString::parse(&connection).unwrap().0;
            let call =
                Call::new("", crate::call::Service::Queue, http::Method::DELETE, "/jobs/messages".to_owned());
            let date = request.headers()["x-ms-date"].to_str().unwrap();
            let expected = call.request(&account, None, moment::parse_http_date(date).unwrap()).unwrap();
            ScriptedResponse::status(if authorization(&expected) == authorization(request) {
                204
            } else {
                403
            })
            .after(1)
        }
    });
    let storage = vaulted(&script);
    assert_eq!(together(&script, &storage, 1), 1);
    script.advance(60);
    script.seen();
    rotated.set(true);
    assert_eq!(together(&script, &storage, 10), 10);
    assert_eq!(fetches(&script, "vault"), 1);
}

#[test]
fn lasting_refusal_reads_the_vault_rarely_and_repeats_no_call() {
    let script = Script::new(|request| match request.uri().host().unwrap() {
        "localhost" => token("v", 86_400),
        "vault.example" => secret("b2xk"),
        _ => ScriptedResponse::status(403).header("x-ms-error-code", "AuthenticationFailed"),
    });
    let storage = vaulted(&script);
    assert_eq!(together(&script, &storage, 10), 0);
    assert_eq!(fetches(&script, "vault"), 1, "read just now");
    script.advance(5);
    assert_eq!(together(&script, &storage, 10), 0);
    let seen = script.seen();
    assert_eq!(seen.iter().filter(|line| line.contains("vault")).count(), 1, "{seen:?}");
    assert_eq!(seen.iter().filter(|line| line.contains("acct")).count(), 10, "the secret is the same");
}

#[test]
fn token_rejected_by_the_vault_is_renewed_once() {
    let issued = Rc::new(Cell::new(0));
    let count = Rc::clone(&issued);
    let script = Script::new(move |request| match request.uri().host().unwrap() {
        "localhost" => {
            count.set(count.get() + 1);
            token(&format!("v{}", count.get()), 86_400)
        }
        "vault.example" if authorization(request) == "Bearer v1" && count.get() == 1 => {
            ScriptedResponse::status(401).after(6)
        }
        "vault.example" if authorization(request) == "Bearer v1" => ScriptedResponse::status(401),
        "vault.example" => secret("b2xk"),
        _ => ScriptedResponse::status(204),
    });
    assert_eq!(together(&script, &vaulted(&script), 3), 3);
    assert_eq!(issued.get(), 2);
}
