//! Which handler a task has, and the policy of its name.

use std::time::Duration;

use lifecycle::Policy;
use lifecycle::handlers::{Handlers, MAX_RESULT_BYTES, slots};

use crate::samples::POLICY;

fn parse(text: &str) -> Handlers {
    Handlers::parse(text).unwrap()
}

#[test]
fn most_specific_pattern_of_a_name_counts() {
    let handlers = parse(
        r#"{"*":"rest","image.*":"image","image.crop*":"crop","image.crop":"exact","checksum":"own","simulate*":"far"}"#,
    );
    for (name, id) in [
        ("image.crop", Some("exact")),
        ("image.crop.fast", Some("crop")),
        ("image.scale", Some("image")),
        ("image.", Some("image")),
        ("image", Some("rest")),
        ("Image.crop", Some("rest")),
        ("", Some("rest")),
        ("checksum", Some("own")),
        // A built-in handler is replaced only by its exact name.
        ("text-statistics", None),
        ("simulate", None),
        ("simulated", Some("far")),
    ] {
        let found = handlers.find(name).and_then(|(_, rule)| rule.handler.as_ref()?.component());
        assert_eq!(found, id, "{name:?}");
    }
    assert_eq!(parse("{}").find("anything"), None);
    assert_eq!(handlers.components(), ["crop", "exact", "far", "image", "own", "rest"]);
}

#[test]
fn member_of_a_rule_replaces_the_variable_and_the_rest_stays() {
    let handlers = parse(
        r#"{"a":{"handler":"a","task_timeout_seconds":7,"max_dequeue_count":2},
            "b*":{"retry_base_seconds":3,"retry_cap_seconds":604800,"retention_days":1,"max_result_bytes":10,"max_concurrency":4},
            "c":"https://c.example/"}"#,
    );
    let general = POLICY;
    let a = Policy { task_timeout: Duration::from_secs(7), max_dequeue_count: 2, ..general };
    let b = Policy {
        retry_base: Duration::from_secs(3),
        retry_cap: Duration::from_secs(604_800),
        retention: Duration::from_secs(86_400),
        ..general
    };
    for (name, expected) in [("a", a), ("bc", b), ("c", general), ("d", general), ("checksum", general)] {
        assert_eq!(handlers.policy(name, &general), expected, "{name}");
    }
    let (pattern, rule) = handlers.find("bx").unwrap();
    assert_eq!(
        (pattern, rule.limits.max_result_bytes, rule.limits.max_concurrency),
        ("b*", Some(10), Some(4))
    );
    assert_eq!(rule.handler, None, "the built-in handler, with this policy");
}

#[test]
fn sweep_waits_for_the_longest_time_of_any_name() {
    let longer =
        r#"{"a":{"task_timeout_seconds":600000},"b":{"retry_cap_seconds":600000,"task_timeout_seconds":1}}"#;
    let general = POLICY;
    let expected = Policy {
        task_timeout: Duration::from_secs(600_000),
        retry_cap: Duration::from_secs(600_000),
        ..general
    };
    assert_eq!(parse(longer).longest(&general), expected);
    assert_eq!(parse(r#"{"a":{"task_timeout_seconds":1}}"#).longest(&general), general);
}

#[test]
fn invalid_rule_is_refused_with_its_pattern_and_without_its_url() {
    for (text, words) in [
        (r#"{"a*b":"c"}"#, r#"the pattern "a*b" has a * before its end"#),
        (r#"{"a**":"c"}"#, "has a * before its end"),
        (r#"{"a":"Hidden"}"#, r#"the member "a" is no component id and no absolute http(s) URL"#),
        (r#"{"a":"-hidden"}"#, "is no component id"),
        (r#"{"a":"hidden-"}"#, "is no component id"),
        (r#"{"a":"ftp://hidden"}"#, "is no component id"),
        (r#"{"a":"https://"}"#, "is no component id"),
        (r#"{"a":""}"#, "is no component id"),
        (r#"{"a":1}"#, "is no component id, no absolute http(s) URL and no object"),
        (r#"{"a":null}"#, "no object"),
        (r#"{"a":{"handler":7}}"#, "has a handler that is no string"),
        (r#"{"a":{"handler":"Hidden"}}"#, "has a handler that is no component id"),
        (r#"{"a":{"timeout":7}}"#, r#"has the unknown member "timeout""#),
        (
            r#"{"a":{"task_timeout_seconds":0}}"#,
            "needs a whole number from 1 to 604800 as task_timeout_seconds",
        ),
        (r#"{"a":{"task_timeout_seconds":"7"}}"#, "needs a whole number"),
        (r#"{"a":{"max_dequeue_count":1001}}"#, "from 1 to 1000 as max_dequeue_count"),
        (r#"{"a":{"max_concurrency":257}}"#, "from 1 to 256 as max_concurrency"),
        (r#"{"a":{"retry_base_seconds":1.5}}"#, "as retry_base_seconds"),
        (r#"{"a":{"retry_cap_seconds":-1}}"#, "as retry_cap_seconds"),
        (r#"{"a":{"retention_days":3651}}"#, "as retention_days"),
        (r#"{"a":{"max_result_bytes":1073741825}}"#, "from 1 to 1073741824 as max_result_bytes"),
    ] {
        let why = Handlers::parse(text).unwrap_err();
        assert!(why.contains(words) && !why.to_lowercase().contains("hidden"), "{text}: {why}");
    }
    assert_eq!(MAX_RESULT_BYTES, 8_388_608);
    let many: Vec<_> = (0..257).map(|number| format!(r#""n{number}":"a""#)).collect();
    assert_eq!(
        Handlers::parse(&format!("{{{}}}", many.join(","))).unwrap_err(),
        "it has more than 256 members"
    );
}

#[test]
fn shares_of_all_drains_add_up_to_the_limit() {
    for (limit, drains, shares) in
        [(5, 2, &[3, 2][..]), (1, 2, &[1, 0]), (4, 2, &[2, 2]), (3, 1, &[3]), (2, 0, &[2])]
    {
        let found: Vec<_> = (0..drains.max(1)).map(|index| slots::share(limit, index, drains)).collect();
        assert_eq!(found, shares, "{limit} among {drains}");
    }
}

#[test]
fn pause_of_a_waiting_name_doubles_to_five_minutes() {
    let seconds = |count, fraction| slots::pause(count, fraction).as_secs();
    let longest: Vec<_> = (1..=10).map(|count| seconds(count, 1.0)).collect();
    assert_eq!(longest, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!((seconds(1, 0.0), seconds(5, 0.0)), (1, 16));
}

#[test]
fn description_has_every_member_and_only_the_origin_of_a_url() {
    let text = r#"{"a":{"handler":"a","max_concurrency":1,"task_timeout_seconds":2,"max_dequeue_count":3,"retry_base_seconds":4,
        "retry_cap_seconds":5,"retention_days":6,"max_result_bytes":7},"b":{"retention_days":1},
        "c":{"handler":"https://user:word@c.example:8443/path?code=hidden"}}"#;
    let described = parse(text).describe().to_string();
    let expected = r#"{"a":{"handler":"a","max_concurrency":1,"max_dequeue_count":3,"max_result_bytes":7,"retention_days":6,"retry_base_seconds":4,"retry_cap_seconds":5,"task_timeout_seconds":2},"b":{"handler":"built-in","retention_days":1},"c":{"handler":"https://c.example:8443"}}"#;
    assert_eq!(described, expected);
}
