use super::*;
use crate::{Clock as _, Condition, Instant, LeaseLost, TimeToLive, Write};

/// Responds with each of `responses` in turn, then with 500.
fn in_turn(responses: Vec<ScriptedResponse>) -> Rc<Script> {
    let mut responses = responses.into_iter();
    Script::new(move |_| responses.next().unwrap_or_else(|| ScriptedResponse::status(500)))
}

#[test]
fn each_try_has_its_own_date_and_signature() {
    let script = in_turn(vec![
        ScriptedResponse::status(503).header("retry-after", "3"),
        ScriptedResponse::status(500).header("x-ms-retry-after-ms", "2000"),
        ScriptedResponse::status(204),
    ]);
    script.run(some_call(&keyed(&script))).unwrap();
    let requests = script.requests();
    let header = |index: usize, name: &str| requests[index].1.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header(0, "x-ms-date"), "Fri, 20 Nov 2026 10:00:00 GMT");
    assert_eq!(header(1, "x-ms-date"), "Fri, 20 Nov 2026 10:00:03 GMT");
    assert_eq!(header(2, "x-ms-date"), "Fri, 20 Nov 2026 10:00:05 GMT");
    assert_ne!(header(0, "authorization"), header(1, "authorization"));
}

#[test]
fn waits_follow_the_random_number_until_tries_are_used() {
    let script = in_turn(vec![]);
    script.random.set(1 << 63);
    let error = script.run(some_call(&keyed(&script))).unwrap_err();
    let at: Vec<_> = script.requests().iter().map(|(at, _)| (*at - start()).whole_milliseconds()).collect();
    assert_eq!(at, [0, 100, 300, 700, 1500]);
    assert_eq!(error.to_string(), "Clear Messages: not available: Queue Storage responded 500");
}

#[test]
fn slow_tries_stay_within_the_deadline() {
    let script = Script::new(|_| ScriptedResponse::status(200).after(60));
    let error = script.run(some_call(&keyed(&script))).unwrap_err();
    assert_eq!(script.seen().len(), 2);
    assert_eq!(script.now() - start(), time::Duration::seconds(30));
    assert_eq!(error.to_string(), "Clear Messages: not available: no response in time (Queue Storage)");
}

#[test]
fn deadline_does_not_move_with_the_wall_clock() {
    for hours in [-3, 3] {
        let script = Script::new(|_| ScriptedResponse::status(503));
        let clock = Rc::clone(&script);
        script.respond_with(move |_| {
            clock.set_clock(time::Duration::hours(hours));
            ScriptedResponse::status(200).after(60)
        });
        let error = script.run(some_call(&keyed(&script))).unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(script.seen().len(), 2, "set by {hours} h");
        assert_eq!(script.instant().since(Instant::default()), Duration::from_secs(30), "set by {hours} h");
    }
}

#[test]
fn put_message_is_repeated_after_an_interrupted_connection() {
    let put = "<QueueMessagesList><QueueMessage><MessageId>m</MessageId><InsertionTime>Fri, 20 Nov 2026 10:00:00 GMT\
        </InsertionTime><PopReceipt>r</PopReceipt><TimeNextVisible>Fri, 20 Nov 2026 10:00:00 GMT</TimeNextVisible>\
        </QueueMessage></QueueMessagesList>";
    let script = in_turn(vec![
        ScriptedResponse::broken(TransportError::Interrupted("reset".to_owned())),
        ScriptedResponse::status(201).body(put),
    ]);
    let queue = keyed(&script).queue("jobs");
    let put = script.run(queue.put("{}", Duration::ZERO, TimeToLive::Forever)).unwrap();
    assert_eq!(put.message_id, "m");
}

#[test]
fn update_is_repeated_only_after_a_try_without_effect() {
    let renewed = || {
        ScriptedResponse::status(204)
            .header("x-ms-popreceipt", "new")
            .header("x-ms-time-next-visible", "Fri, 20 Nov 2026 10:01:00 GMT")
    };
    let receipt = Secret::new("old");
    let update = |script: &Rc<Script>| {
        let queue = keyed(script).queue("jobs");
        script.run(async { queue.update("m", &receipt, Duration::from_secs(60), None).await })
    };
    for harmful in [ScriptedResponse::broken(TransportError::Timeout), ScriptedResponse::status(500)] {
        let script = in_turn(vec![harmful, renewed()]);
        assert!(update(&script).unwrap_err().is_retryable());
        assert_eq!(script.seen().len(), 1);
    }
    for harmless in [
        ScriptedResponse::broken(TransportError::Connect("refused".to_owned())),
        ScriptedResponse::status(503),
    ] {
        let script = in_turn(vec![harmless, renewed()]);
        assert!(matches!(update(&script).unwrap(), Ok(updated) if updated.pop_receipt.expose() == "new"));
    }
}

#[test]
fn delete_succeeds_when_a_repeat_finds_no_message() {
    let gone = || ScriptedResponse::status(404).header("x-ms-error-code", "MessageNotFound");
    let delete = |responses| {
        let script = in_turn(responses);
        let queue = keyed(&script).queue("jobs");
        script.run(async { queue.delete("m", &Secret::new("r")).await })
    };
    assert_eq!(delete(vec![gone()]), Ok(Err(LeaseLost)));
    assert_eq!(delete(vec![ScriptedResponse::broken(TransportError::Timeout), gone()]), Ok(Ok(())));
    assert_eq!(delete(vec![ScriptedResponse::status(500), gone()]), Ok(Ok(())));
    let before_effect = ScriptedResponse::broken(TransportError::Connect("refused".to_owned()));
    assert_eq!(delete(vec![before_effect, gone()]), Ok(Err(LeaseLost)));
    let taken = || ScriptedResponse::status(400).header("x-ms-error-code", "PopReceiptMismatch");
    assert_eq!(delete(vec![ScriptedResponse::status(500), taken()]), Ok(Err(LeaseLost)));
}

#[test]
fn create_repeated_after_its_own_success_is_a_conflict() {
    let exists = ScriptedResponse::status(409).header("x-ms-error-code", "BlobAlreadyExists");
    let script = in_turn(vec![ScriptedResponse::status(500), exists]);
    let blobs = keyed(&script).blobs("tasks");
    let put = script.run(blobs.put("a", Bytes::new(), "application/json", Condition::IfAbsent));
    assert_eq!(put, Ok(Write::Conflict));
}

#[test]
fn denied_destination_is_an_error_that_names_the_variable() {
    let script =
        in_turn(vec![ScriptedResponse::broken(TransportError::Denied("https://acct?sig=hidden".to_owned()))]);
    let error = script.run(some_call(&keyed(&script))).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Configuration(sentence) if sentence.contains("queue_host")),
        "{error}"
    );
    assert_eq!(script.seen().len(), 1);
}
