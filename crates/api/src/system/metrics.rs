//! `GET /metrics` in the Prometheus text format. All numbers come from storage, so every instance returns the same.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use models::Timestamp;
use service::response::{self, Response};
use storage::{QueueName, StorageError};

use crate::tasks::{QueueMetrics, Tasks};

/// Maximum age of the numbers: scrapes of several collectors share the requests to storage.
const MAX_METRICS_AGE: Duration = Duration::from_secs(5);

/// The numbers about the queues, at most [`MAX_METRICS_AGE`] old.
pub(crate) async fn queue_metrics(tasks: &Tasks) -> Option<QueueMetrics> {
    let fetch = async {
        let (mut depths, scheduled, poison, oldest) = futures::join!(
            depths_of_tasks(tasks),
            tasks.queue.depth(QueueName::Scheduled),
            tasks.queue.depth(QueueName::Poison),
            oldest_of_tasks(tasks),
        );
        depths.extend([("scheduled", scheduled.ok()), ("poison", poison.ok())]);
        if tasks.settings.has_events() {
            depths.push(("events", tasks.queue.depth(QueueName::Events).await.ok()));
        }
        QueueMetrics { depths, oldest }
    };
    tasks.queue_metrics.get(|| tasks.env.instant(), MAX_METRICS_AGE, fetch).await
}

pub(crate) async fn metrics(tasks: &Tasks) -> Response {
    let queues = queue_metrics(tasks).await;
    let text = prometheus_text(queues.as_ref(), tasks.env.timestamp());
    let mut response = response::full(StatusCode::OK, text.into());
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

// One queue after the other: code that joins any number of futures would be 9 KB.
async fn depths_of_tasks(tasks: &Tasks) -> Vec<(&'static str, Option<u64>)> {
    let mut depths = Vec::new();
    for (queue, name) in QueueName::of_tasks(tasks.settings.storage.priority_queues) {
        depths.push((*name, tasks.queue.depth(*queue).await.ok()));
    }
    depths
}

async fn oldest_of_tasks(tasks: &Tasks) -> Vec<(&'static str, Result<Option<Timestamp>, StorageError>)> {
    let mut oldest = Vec::new();
    for (queue, name) in QueueName::of_tasks(tasks.settings.storage.priority_queues) {
        oldest.push((*name, tasks.queue.oldest(*queue).await));
    }
    oldest
}

/// Formats the metrics. A number that storage did not return is omitted.
fn prometheus_text(queues: Option<&QueueMetrics>, now: Timestamp) -> String {
    let up = queues.is_some_and(|queues| {
        queues.oldest.iter().all(|(_, oldest)| oldest.is_ok())
            && queues.depths.iter().all(|(_, count)| count.is_some())
    });
    let mut text = String::from(
        "# HELP accepted_storage_up Whether storage responded to every request behind these numbers.\n\
         # TYPE accepted_storage_up gauge\n",
    );
    // Writing into a String cannot fail.
    let _ = writeln!(text, "accepted_storage_up {}", u8::from(up));
    let Some(queues) = queues else { return text };
    text.push_str(
        "# HELP accepted_queue_messages Messages in the queue, visible or not.\n\
         # TYPE accepted_queue_messages gauge\n",
    );
    for (queue, count) in &queues.depths {
        if let Some(count) = count {
            let _ = writeln!(text, "accepted_queue_messages{{queue=\"{queue}\"}} {count}");
        }
    }
    let mut ages =
        queues.oldest.iter().filter_map(|(queue, oldest)| Some((queue, oldest.as_ref().ok()?))).peekable();
    if ages.peek().is_some() {
        text.push_str(
            "# HELP accepted_queue_oldest_message_age_seconds Age of the oldest visible message, 0 without one.\n\
             # TYPE accepted_queue_oldest_message_age_seconds gauge\n",
        );
    }
    for (queue, oldest) in ages {
        let age = oldest.map_or(Duration::ZERO, |sent| now.since(sent));
        let (seconds, millis) = (age.as_secs(), age.subsec_millis());
        let _ = writeln!(
            text,
            "accepted_queue_oldest_message_age_seconds{{queue=\"{queue}\"}} {seconds}.{millis:03}"
        );
    }
    text
}
