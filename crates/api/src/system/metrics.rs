//! `GET /metrics` in the Prometheus text format. All numbers come from storage, so every instance returns the same.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use models::Timestamp;
use service::response::{self, Response};
use storage::QueueName;

use crate::tasks::{QueueMetrics, Tasks};

/// Maximum age of the numbers: scrapes of several collectors share the requests to storage.
const MAX_METRICS_AGE: Duration = Duration::from_secs(5);

pub(crate) async fn metrics(tasks: &Tasks) -> Response {
    let fetch = async {
        let (tasks, scheduled, poison, oldest) = futures::join!(
            tasks.queue.depth(QueueName::Tasks),
            tasks.queue.depth(QueueName::Scheduled),
            tasks.queue.depth(QueueName::Poison),
            tasks.queue.oldest(QueueName::Tasks),
        );
        let depths = [("tasks", tasks.ok()), ("scheduled", scheduled.ok()), ("poison", poison.ok())];
        QueueMetrics { depths, oldest }
    };
    let queues = tasks.queue_metrics.get(|| tasks.env.instant(), MAX_METRICS_AGE, fetch).await;
    let text = prometheus_text(queues.as_ref(), tasks.env.timestamp());
    let mut response = response::full(StatusCode::OK, text.into());
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// Formats the metrics. A number that storage did not return is omitted.
fn prometheus_text(queues: Option<&QueueMetrics>, now: Timestamp) -> String {
    let up = queues.is_some_and(|q| q.oldest.is_ok() && q.depths.iter().all(|(_, n)| n.is_some()));
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
    if let Ok(oldest) = &queues.oldest {
        let age = oldest.map_or(Duration::ZERO, |sent| now.since(sent));
        text.push_str(
            "# HELP accepted_queue_oldest_message_age_seconds Age of the oldest visible message, 0 without one.\n\
             # TYPE accepted_queue_oldest_message_age_seconds gauge\n",
        );
        let _ = writeln!(
            text,
            "accepted_queue_oldest_message_age_seconds{{queue=\"tasks\"}} {}.{:03}",
            age.as_secs(),
            age.subsec_millis()
        );
    }
    text
}
