//! `GET /metrics`: what storage can answer truthfully whatever instance is asked, as Prometheus text.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use models::Timestamp;
use service::response::{self, Response};
use storage::QueueName;

use crate::tasks::{Depths, Tasks};

/// How long the numbers are believed: scrapes of several collectors cost one look.
const DEPTHS_AGE: Duration = Duration::from_secs(5);

pub(crate) async fn metrics(tasks: &Tasks) -> Response {
    let ask = async {
        let (tasks, scheduled, poison, oldest) = futures::join!(
            tasks.queue.depth(QueueName::Tasks),
            tasks.queue.depth(QueueName::Scheduled),
            tasks.queue.depth(QueueName::Poison),
            tasks.queue.oldest(QueueName::Tasks),
        );
        let messages = [("tasks", tasks.ok()), ("scheduled", scheduled.ok()), ("poison", poison.ok())];
        Depths { messages, oldest }
    };
    let depths = tasks.depths.get(|| tasks.env.instant(), DEPTHS_AGE, ask).await;
    let text = exposition(depths.as_ref(), tasks.env.timestamp());
    let mut answer = response::full(StatusCode::OK, text.into());
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, media_type);
    answer
}

/// The text. A number that storage did not tell is left out rather than guessed.
fn exposition(depths: Option<&Depths>, now: Timestamp) -> String {
    let up = depths.is_some_and(|d| d.oldest.is_ok() && d.messages.iter().all(|(_, n)| n.is_some()));
    let mut text = String::from(
        "# HELP accepted_storage_up Whether storage answered every question behind these numbers.\n\
         # TYPE accepted_storage_up gauge\n",
    );
    // Writing into a String has no way to fail.
    let _ = writeln!(text, "accepted_storage_up {}", u8::from(up));
    let Some(depths) = depths else { return text };
    text.push_str(
        "# HELP accepted_queue_messages Messages in the queue, visible or not.\n\
         # TYPE accepted_queue_messages gauge\n",
    );
    for (queue, count) in &depths.messages {
        if let Some(count) = count {
            let _ = writeln!(text, "accepted_queue_messages{{queue=\"{queue}\"}} {count}");
        }
    }
    if let Ok(oldest) = &depths.oldest {
        let age = oldest.map_or(Duration::ZERO, |put| now.since(put));
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
