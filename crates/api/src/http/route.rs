//! From a path to a resource and its methods. Pure.

use models::TaskId;
use percent_encoding::percent_decode_str;

/// An action on all tasks that the filters select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BulkAction {
    Cancel,
    Retry,
    Delete,
}

impl BulkAction {
    const ALL: [Self; 3] = [Self::Cancel, Self::Retry, Self::Delete];

    /// Its name in its path and in log lines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Delete => "delete",
        }
    }

    /// Its path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Cancel => "/tasks:cancel",
            Self::Retry => "/tasks:retry",
            Self::Delete => "/tasks:delete",
        }
    }
}

/// An action on messages in the poison queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoisonAction {
    Replay,
    Remove,
}

/// A change of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueAction {
    Pause,
    Resume,
}

/// An action on a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScheduleAction {
    Pause,
    Resume,
    Run,
}

/// Id of a message in the poison queue. Storage Queue gives messages GUIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageId(TaskId);

impl MessageId {
    /// Whether this is the id of a message, as storage returned it.
    pub(crate) fn is(self, id: &str) -> bool {
        id.parse() == Ok(self.0)
    }
}

/// A resource with its own address. Static pages are not listed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `/tasks`
    Tasks,
    /// `/tasks:batch`
    Batch,
    /// `/tasks:cancel`, `/tasks:retry`, `/tasks:delete`
    Bulk(BulkAction),
    /// `/Tasks/QueueTask`, the address of the .NET sample, in every spelling that its router accepts.
    QueueTask,
    /// `/tasks/{id}`
    Task(TaskId),
    /// `/tasks/{id}/events`
    Events(TaskId),
    /// `/tasks/{id}/result`
    Result(TaskId),
    /// `/tasks/{id}/cancel`
    Cancel(TaskId),
    /// `/tasks/{id}/retry`
    Retry(TaskId),
    /// `/poison`
    PoisonList,
    /// `/poison:replay`, `/poison:delete`
    PoisonAll(PoisonAction),
    /// `/poison/{id}`
    PoisonMessage(MessageId),
    /// `/poison/{id}/replay`
    PoisonReplay(MessageId),
    /// `/queue`
    Queue,
    /// `/queue:pause`, `/queue:resume`
    QueueAction(QueueAction),
    /// `/schedules`
    Schedules,
    /// `/schedules/{name}`, whatever the name. The operation checks it, so that the response can say what is accepted.
    Schedule,
    /// `/schedules/{name}:pause`, `/schedules/{name}:resume`, `/schedules/{name}:run`
    ScheduleAction(ScheduleAction),
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// `/metrics`
    Metrics,
}

impl Resource {
    /// The resource at `path`; `None` for static pages and unknown paths.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let found = match split_action(path) {
            (resource, Some(action)) => Self::with_action(resource, action),
            (resource, None) => Self::without_action(resource),
        };
        found.or_else(|| is_queue_task(path).then_some(Self::QueueTask))
    }

    fn with_action(resource: &str, action: &str) -> Option<Self> {
        match (resource, action) {
            ("/tasks", "batch") => Some(Self::Batch),
            ("/tasks", _) => BulkAction::ALL.into_iter().find(|it| it.name() == action).map(Self::Bulk),
            ("/queue", "pause") => Some(Self::QueueAction(QueueAction::Pause)),
            ("/queue", "resume") => Some(Self::QueueAction(QueueAction::Resume)),
            ("/poison", "replay") => Some(Self::PoisonAll(PoisonAction::Replay)),
            ("/poison", "delete") => Some(Self::PoisonAll(PoisonAction::Remove)),
            _ if is_schedule(resource) => match action {
                "pause" => Some(Self::ScheduleAction(ScheduleAction::Pause)),
                "resume" => Some(Self::ScheduleAction(ScheduleAction::Resume)),
                "run" => Some(Self::ScheduleAction(ScheduleAction::Run)),
                _ => None,
            },
            _ => None,
        }
    }

    fn without_action(path: &str) -> Option<Self> {
        match path {
            "/tasks" => return Some(Self::Tasks),
            "/queue" => return Some(Self::Queue),
            "/poison" => return Some(Self::PoisonList),
            "/schedules" => return Some(Self::Schedules),
            "/healthz" => return Some(Self::Health),
            "/readyz" => return Some(Self::Ready),
            "/metrics" => return Some(Self::Metrics),
            _ if is_schedule(path) => return Some(Self::Schedule),
            _ => {}
        }
        if let Some(rest) = path.strip_prefix("/poison/") {
            let (id, part) = id_and_part(rest)?;
            return match part {
                None => Some(Self::PoisonMessage(MessageId(id))),
                Some("replay") => Some(Self::PoisonReplay(MessageId(id))),
                Some(_) => None,
            };
        }
        let (id, part) = id_and_part(path.strip_prefix("/tasks/")?)?;
        match part {
            None => Some(Self::Task(id)),
            Some("events") => Some(Self::Events(id)),
            Some("result") => Some(Self::Result(id)),
            Some("cancel") => Some(Self::Cancel(id)),
            Some("retry") => Some(Self::Retry(id)),
            Some(_) => None,
        }
    }

    /// Whether the caller needs the rights of an operator.
    pub(crate) fn is_for_operators(self) -> bool {
        matches!(
            self,
            Self::PoisonList
                | Self::PoisonAll(_)
                | Self::PoisonMessage(_)
                | Self::PoisonReplay(_)
                | Self::QueueAction(_)
                | Self::Schedules
                | Self::Schedule
                | Self::ScheduleAction(_)
        )
    }

    /// Whether `path` needs authentication: `/metrics`, and `/tasks`, `/poison`, `/queue` and `/schedules` with everything
    /// below them and their actions.
    pub(crate) fn needs_authentication(path: &str) -> bool {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let first = decoded.trim_start_matches('/').split(['/', ':']).next().unwrap_or_default();
        ["tasks", "metrics", "poison", "queue", "schedules"]
            .iter()
            .any(|closed| first.eq_ignore_ascii_case(closed))
            || is_queue_task(path)
    }

    /// The value of `Allow`.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Tasks => "GET, HEAD, POST, OPTIONS",
            Self::QueueTask
            | Self::Batch
            | Self::Bulk(_)
            | Self::Cancel(_)
            | Self::Retry(_)
            | Self::PoisonAll(_)
            | Self::PoisonReplay(_)
            | Self::QueueAction(_)
            | Self::ScheduleAction(_) => "POST, OPTIONS",
            Self::Schedule => "GET, HEAD, PUT, DELETE, OPTIONS",
            Self::Task(_) | Self::PoisonMessage(_) => "GET, HEAD, DELETE, OPTIONS",
            Self::Events(_)
            | Self::Result(_)
            | Self::PoisonList
            | Self::Queue
            | Self::Schedules
            | Self::Health
            | Self::Ready
            | Self::Metrics => "GET, HEAD, OPTIONS",
        }
    }
}

/// The id at the start of a path, and what follows it. Only the hyphenated form of an id, so that a resource has one address
/// (except for letter case).
fn id_and_part(rest: &str) -> Option<(TaskId, Option<&str>)> {
    let (id, part) = rest.split_once('/').map_or((rest, None), |(id, part)| (id, Some(part)));
    Some((Some(id).filter(|id| id.len() == 36)?.parse().ok()?, part))
}

/// Splits `path` at the colon before an action. Some generated clients escape the colon.
fn split_action(path: &str) -> (&str, Option<&str>) {
    let split = path.match_indices([':', '%']).find_map(|(at, _)| {
        let (resource, rest) = path.split_at_checked(at)?;
        let action = [":", "%3A", "%3a"].into_iter().find_map(|colon| rest.strip_prefix(colon))?;
        Some((resource, Some(action)))
    });
    split.unwrap_or((path, None))
}

/// Whether `path`, without an action, is that of one schedule, whatever its name.
fn is_schedule(path: &str) -> bool {
    path.strip_prefix("/schedules/").is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// The name of the schedule in a path that is one of [`Resource::Schedule`] or [`Resource::ScheduleAction`].
pub(crate) fn schedule_name(path: &str) -> &str {
    split_action(path.strip_prefix("/schedules/").unwrap_or_default()).0
}

/// Compares like the router of ASP.NET Core: decodes escapes (except that of a slash), then resolves dot segments, and
/// ignores letter case and one slash at the end.
fn is_queue_task(path: &str) -> bool {
    if path.to_ascii_lowercase().contains("%2f") {
        return false;
    }
    let Ok(path) = percent_decode_str(path).decode_utf8() else { return false };
    let Some(rest) = path.strip_prefix('/') else { return false };
    let mut segments = Vec::new();
    for segment in rest.strip_suffix('/').unwrap_or(rest).split('/') {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    matches!(segments[..], [first, second]
        if first.eq_ignore_ascii_case("tasks") && second.eq_ignore_ascii_case("queuetask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b";

    #[test]
    fn only_a_hyphenated_guid_addresses_a_task() {
        let id: TaskId = ID.parse().unwrap();
        assert_eq!(Resource::at(&format!("/tasks/{ID}")), Some(Resource::Task(id)));
        assert_eq!(Resource::at(&format!("/tasks/{}", ID.to_uppercase())), Some(Resource::Task(id)));
        for path in [
            "/tasks/".to_owned(),
            "/tasks/1".to_owned(),
            "/tasks/../../etc/passwd".to_owned(),
            format!("/tasks/{}", ID.replace('-', "")),
            format!("/tasks/{{{ID}}}"),
            format!("/tasks/{ID}/"),
            format!("/tasks/{ID}/other"),
            format!("/tasks/{ID}%00"),
            format!("//tasks/{ID}"),
        ] {
            assert_eq!(Resource::at(&path), None, "{path}");
        }
    }

    #[test]
    fn queue_task_accepts_the_spellings_of_asp_net_core() {
        for path in [
            "/Tasks/QueueTask",
            "/tasks/queuetask",
            "/TASKS/QUEUETASK",
            "/Tasks/QueueTask/",
            "/Tasks/Queue%54ask",
            "/%74asks/%51ueue%74ask/",
            "/Tasks/./QueueTask",
            "/other/../Tasks/QueueTask",
            "/Tasks/%2E%2e/tasks/QueueTask",
        ] {
            assert_eq!(Resource::at(path), Some(Resource::QueueTask), "{path}");
            assert!(Resource::needs_authentication(path), "{path}");
        }
        for path in [
            "/Tasks//QueueTask",
            "//Tasks/QueueTask",
            "/Tasks/QueueTask//",
            "/Tasks%2FQueueTask",
            "/Tasks/Queue%2FTask",
            "/Tasks/QueueTask/x",
            "/Tasks/QueueTas%ff",
            "/x/Tasks/QueueTask",
        ] {
            assert_eq!(Resource::at(path), None, "{path}");
        }
        assert_eq!(Resource::at("/Tasks"), None);
    }

    #[test]
    fn escaped_colon_addresses_the_same_action() {
        for path in [
            "/tasks:batch",
            "/tasks:cancel",
            "/tasks:retry",
            "/tasks:delete",
            "/queue:pause",
            "/queue:resume",
            "/poison:replay",
            "/poison:delete",
            "/schedules/a:run",
            "/schedules/a%20b:pause",
        ] {
            let resource = Resource::at(path);
            assert!(resource.is_some(), "{path}");
            for escape in ["%3A", "%3a"] {
                let escaped = path.replace(':', escape);
                assert_eq!(Resource::at(&escaped), resource, "{escaped}");
                assert_eq!(schedule_name(&escaped), schedule_name(path), "{escaped}");
                assert!(Resource::needs_authentication(&escaped), "{escaped}");
            }
        }
        for path in ["/tasks%3A", "/tasks%3Aother", "/tasks%253Abatch", "/tasks%3Abatch%3A", "%3Abatch"] {
            assert_eq!(Resource::at(path), None, "{path}");
        }
    }

    #[test]
    fn schedule_is_addressed_by_one_segment_and_its_actions() {
        for (path, name, resource) in [
            ("/schedules", "", Resource::Schedules),
            ("/schedules/nightly", "nightly", Resource::Schedule),
            ("/schedules/a%20b", "a%20b", Resource::Schedule),
            ("/schedules/a:pause", "a", Resource::ScheduleAction(ScheduleAction::Pause)),
            ("/schedules/a:resume", "a", Resource::ScheduleAction(ScheduleAction::Resume)),
            ("/schedules/a:run", "a", Resource::ScheduleAction(ScheduleAction::Run)),
        ] {
            assert_eq!((Resource::at(path), schedule_name(path)), (Some(resource), name), "{path}");
            assert!(resource.is_for_operators());
        }
        for path in
            ["/schedules/", "/schedules/a/b", "/schedules/a:b", "/schedules/a:run:run", "/schedules:run"]
        {
            assert_eq!(Resource::at(path), None, "{path}");
        }
    }

    #[test]
    fn every_spelling_of_a_task_path_needs_authentication() {
        for path in [
            "/tasks",
            "/Tasks/QueueTask",
            "/TASKS/x",
            "//tasks",
            "/metrics",
            "/Metrics/",
            "/%74asks/x",
            "/tasks:batch",
            "/Tasks:delete",
            "/tasks%3Adelete",
            "//tasks:other",
            "/poison",
            "/Poison:delete",
            "/poison%3Areplay",
            "//poison/x",
            "/queue",
            "/queue%3Apause",
            "/schedules",
            "/Schedules/x",
            "/schedules%2Fx:run",
        ] {
            assert!(Resource::needs_authentication(path), "{path}");
        }
        for path in ["/", "/healthz", "/readyz", "/swagger", "/openapi.json", "/tasksheet.css"] {
            assert!(!Resource::needs_authentication(path), "{path}");
        }
    }
}
