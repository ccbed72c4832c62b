//! An operator that has a schedule, changes it and deletes it.

use std::time::Duration;

use http::{HeaderValue, Method, Response};
use models::Timestamp;
use serde_json::json;

use crate::clients::{Clients, request};
use crate::plan::{Change, Plan};

/// How long after the last fault a schedule stays. By then all that was missed has been made up for, and the sweep has woken a
/// worker twice.
const STAYS: Duration = Duration::from_secs(1_800);

impl Clients {
    /// Has a schedule for a while.
    pub(crate) async fn schedule(&self, plan: &Plan) {
        let exec = &self.world().exec;
        let ends = Timestamp::from(self.world().true_time() + Duration::from_secs(plan.ends));
        self.put(plan, plan.interval, ends).await;
        match plan.change {
            Change::None => {}
            Change::Pause(at, lasts) => {
                exec.sleep(Duration::from_secs(at)).await;
                self.insist(Method::POST, &format!("/schedules/{}:pause", plan.name), "").await;
                exec.sleep(Duration::from_secs(lasts)).await;
                self.insist(Method::POST, &format!("/schedules/{}:resume", plan.name), "").await;
            }
            Change::Replace(at, interval) => {
                exec.sleep(Duration::from_secs(at)).await;
                self.put(plan, interval, ends).await;
            }
            Change::Delete(at) => exec.sleep(Duration::from_secs(at)).await,
        }
        if !matches!(plan.change, Change::Delete(_)) {
            let end = self.world().scenario.faults_end_at().max(Duration::from_secs(plan.ends)) + STAYS;
            exec.sleep(end.saturating_sub(exec.now())).await;
        }
        self.insist(Method::DELETE, &format!("/schedules/{}", plan.name), "").await;
    }

    async fn put(&self, plan: &Plan, interval: u64, ends: Timestamp) {
        let body = json!({
            "Interval": format!("PT{interval}S"),
            "EndsAt": ends,
            "Missed": plan.missed,
            "Overlap": plan.overlap,
            // No task of the scenario has this slot, so that the handler completes it.
            "Task": { "TaskName": "scripted", "TaskDescription": "of a schedule", "Input": { "slot": 9_999 } },
        });
        self.insist(Method::PUT, &format!("/schedules/{}", plan.name), &body.to_string()).await;
    }

    /// Repeats a request until it succeeds, or what it is about is gone.
    async fn insist(&self, method: Method, path: &str, body: &str) {
        loop {
            let mut asked = request(method.clone(), path, body.to_owned());
            asked.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
            let response = self.call(asked).await;
            let is_done = |response: &Response<_>| response.status().is_success() || response.status() == 404;
            if response.as_ref().is_some_and(is_done) {
                return;
            }
            self.world().exec.sleep(Duration::from_secs(3)).await;
        }
    }
}
