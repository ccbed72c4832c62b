//! The transcript of schedules.

use http::Method;

use super::Scribe;

pub(super) async fn transcript() -> Vec<(&'static str, String)> {
    let mut scribe = Scribe::new(&[("schedules", "true")]);
    let path = "/schedules/month-end";
    let body = r#"{"Cron":"0 6 1 * *","TimeZone":"Europe/Berlin","Task":{"TaskName":"report","Input":{"kind":"month"}}}"#;
    let created = scribe.ask(Method::PUT, path, &[("if-none-match", "*")], body).await;
    let etag = created.header("etag").to_owned();
    scribe.says("another operator changes it");
    let every = r#"{"Interval":"PT6H","Overlap":"Skip","Task":{"TaskName":"report"}}"#;
    scribe.ask(Method::PUT, path, &[("if-match", &etag)], every).await;
    scribe.says("a change of the first version");
    scribe.ask(Method::PUT, path, &[("if-match", &etag)], body).await;
    scribe.says("an expression that is never due");
    scribe.ask(Method::PUT, path, &[], &body.replace("0 6 1 * *", "0 6 31 2 *")).await;
    let mut found = vec![("schedule", scribe.take())];
    scribe.ask(Method::POST, &format!("{path}:pause"), &[], "").await;
    scribe.ask(Method::POST, &format!("{path}:run"), &[], "").await;
    scribe.ask(Method::POST, &format!("{path}:resume"), &[], "").await;
    scribe.ask(Method::GET, "/schedules", &[], "").await;
    scribe.ask(Method::DELETE, path, &[], "").await;
    found.push(("schedule actions", scribe.take()));
    found
}
