//! The stored schedules, as this release and others write them.

use models::{Schedules, StoredSchedule};

/// A schedule as it is stored, with one more member or another value of one.
fn entry(name: &str, member: &str) -> String {
    format!(
        r#"{{"Name":"{name}","Version":1,"Generation":1,"CreatedAt":"2026-11-20T10:00:00.000Z",
        "ChangedAt":"2026-11-20T10:00:00.000Z","Anchor":"2026-11-20T10:00:00.000Z",
        "Definition":{{"Interval":"PT1M",{member}"Task":{{"TaskName":"report"}}}}}}"#
    )
}

fn blob(lists: &str) -> Schedules {
    Schedules::parse(format!(r#"{{{lists},"Writer":7}}"#).as_bytes()).unwrap()
}

fn names(entries: &[StoredSchedule]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn schedule_of_another_release_is_kept_and_does_not_affect_the_others() {
    let (good, newer, other) =
        (entry("b", ""), entry("a", r#""Missed":"Latest","#), entry("c", r#""Cron":"@daily","#));
    let schedules = blob(&format!(r#""Entries":[{newer},{good},7,{other}]"#));
    assert_eq!(names(&schedules.entries), ["b"]);
    assert_eq!(schedules.unreadable.len(), 3);
    assert!(schedules.has_unreadable("a") && schedules.has_unreadable("c") && !schedules.has_unreadable("b"));

    // Written and read again, it is the same; the release that can read it finds it.
    let again = Schedules::parse(&schedules.to_bytes()).unwrap();
    assert_eq!(again, schedules);
    let text = String::from_utf8(again.to_bytes()).unwrap();
    assert!(text.contains(r#""Missed":"Latest""#), "{text}");
}

#[test]
fn schedule_that_can_be_read_again_is_listed_in_order() {
    let [a, b, c] = ["a", "b", "c"].map(|name| entry(name, ""));
    let schedules = blob(&format!(r#""Entries":[{b}],"Unreadable":[{c},{a}]"#));
    assert_eq!(names(&schedules.entries), ["a", "b", "c"]);
    assert!(schedules.unreadable.is_empty());
}

#[test]
fn wake_up_that_cannot_be_read_counts_as_none() {
    for wake_up in ["null", "[]", r#"{"WakeUpId":"x"}"#] {
        assert_eq!(blob(&format!(r#""WakeUp":{wake_up}"#)).wake_up, None, "{wake_up}");
    }
}

#[test]
fn text_that_is_no_list_of_schedules_is_refused() {
    for text in ["garbage", "[]", r#"{"Entries":{}}"#, r#"{"Unreadable":7}"#] {
        assert!(Schedules::parse(text.as_bytes()).is_err(), "{text}");
    }
}
