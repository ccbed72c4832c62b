//! Recurring tasks.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fake_azure::Operation;
use lifecycle::recurring::{self, Refused, task_id};
use models::{ScheduleDefinition, Schedules, StoredSchedule, TaskState, Timestamp, WakeUp};
use service::settings::ApiSettings;
use storage::{ApiStorage, QueueName, change_schedules, read_schedules};
use test_world::Fault;

use crate::world::{TestWorker, World, run};

const ENABLED: (&str, &str) = ("schedules", "true");
const MINUTELY: &str = r#"{"Cron":"* * * * *","Missed":"All","Task":{"TaskName":"checksum","Input":"x"}}"#;

impl World {
    fn api_storage(&self) -> ApiStorage {
        let settings = ApiSettings::from_variables(&test_world::variables(&[])).unwrap();
        storage::open(self.env.clone(), &settings.storage).unwrap()
    }

    /// Changes the schedules, as the API does.
    async fn change(
        &self,
        edit: impl Fn(&mut Schedules, Timestamp, u64) -> Result<(), Refused>,
    ) -> Schedules {
        let ApiStorage { store, queue } = self.api_storage();
        change_schedules(&*store, &*queue, &*self.env, &edit).await.unwrap().0
    }

    async fn put(&self, name: &str, definition: &str) -> StoredSchedule {
        let definition = ScheduleDefinition::parse(definition.as_bytes()).unwrap();
        let schedules = self
            .change(|schedules, now, fresh| {
                let owner = Some("alice".to_owned());
                recurring::put(schedules, name, definition.clone(), owner, fresh, now).map(drop)
            })
            .await;
        schedules.find(name).unwrap().clone()
    }

    async fn schedules(&self) -> Schedules {
        self.without_faults(async { read_schedules(&*self.api_storage().store).await.unwrap().0 }).await
    }

    async fn schedule(&self, name: &str) -> StoredSchedule {
        self.schedules().await.find(name).unwrap().clone()
    }

    /// The wake-up messages that exist.
    fn wake_ups(&self) -> Vec<WakeUp> {
        self.messages("-scheduled").iter().map(|message| WakeUp::parse(&message.text).unwrap()).collect()
    }

    /// The numbers of tasks that exist and that completed.
    fn tasks(&self) -> (usize, usize) {
        let names = self.blob_names();
        let documents = names.iter().filter_map(|name| name.strip_suffix("-202")?.parse().ok());
        let states: Vec<_> = documents.map(|id| self.document(id).state).collect();
        (states.len(), states.iter().filter(|state| **state == TaskState::Completed).count())
    }
}

impl TestWorker {
    /// Drains every 5 s for a time.
    async fn drain_for(&self, seconds: u64) {
        for _ in 0..seconds / 5 {
            self.drain().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
}

fn at(minute: u32) -> Timestamp {
    format!("2026-11-20T10:{minute:02}:00Z").parse().unwrap()
}

#[test]
fn each_firing_becomes_one_task_of_the_schedules_owner() {
    run(|world| async move {
        let entry = world.put("report", MINUTELY).await;
        assert_eq!((entry.next_at, world.wake_ups().len()), (Some(at(1)), 1));
        let worker = world.worker(&[ENABLED]);
        worker.drain_for(300).await;
        assert_eq!(world.tasks(), (4, 4), "10:01 to 10:04");
        for minute in 1..=4 {
            let document = world.document(task_id("report", entry.generation, at(minute)));
            assert_eq!((document.owner.as_deref(), document.task_name.as_str()), (Some("alice"), "checksum"));
            let late = document.created_at.unwrap().since(at(minute));
            assert!(late <= Duration::from_secs(6), "{late:?}");
        }
        let entry = world.schedule("report").await;
        assert_eq!((entry.last_fired_at, entry.next_at), (Some(at(4)), Some(at(5))));
        assert_eq!(entry.last_task_id, Some(task_id("report", entry.generation, at(4))));
        assert_eq!(world.wake_ups().len(), 1, "one for all that follows");
    });
}

#[test]
fn idle_worker_without_a_wake_up_reads_the_schedules_once_a_minute() {
    run(|world| async move {
        world.put("yearly", r#"{"Cron":"0 0 1 1 *","Task":{}}"#).await;
        let worker = world.worker(&[ENABLED]);
        world.forget_requests();
        worker.drain_for(300).await;
        let reads =
            world.requests().iter().filter(|line| line.starts_with("GetBlob /tasks/schedules")).count();
        assert!((4..=6).contains(&reads), "{reads}");
        let sent = world.wake_ups()[0];
        assert_eq!(sent.wake_up_at.since(world.now()).as_secs() / 86_400, 6, "at most seven days ahead");
        tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
        worker.drain().await;
        assert_eq!((world.wake_ups().len(), world.tasks().0), (1, 0), "another one follows");
        assert_ne!(world.wake_ups()[0], sent);
    });
}

#[test]
fn schedules_cost_no_request_while_they_are_off() {
    run(|world| async move {
        world.put("report", MINUTELY).await;
        tokio::time::sleep(Duration::from_secs(90)).await;
        world.forget_requests();
        world.worker(&[]).drain().await;
        let requests = world.requests();
        assert!(!requests.iter().any(|line| line.contains("/tasks/schedules")), "{requests:?}");
        assert_eq!((world.wake_ups(), world.tasks()), (vec![], (0, 0)), "the wake-up message is deleted");
        // Switched on again, they continue.
        world.worker(&[ENABLED]).drain_for(30).await;
        assert_eq!(world.tasks(), (1, 1));
    });
}

#[test]
fn lost_wake_up_delays_firings_and_does_not_end_them() {
    run(|world| async move {
        world.put("report", MINUTELY).await;
        for message in
            world.storage().queue.receive(QueueName::Scheduled, 32, Duration::from_secs(1)).await.unwrap()
        {
            world.storage().queue.delete(&message).await.unwrap().unwrap();
        }
        world.change(|_, _, _| Ok(())).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let messages =
            world.storage().queue.receive(QueueName::Scheduled, 32, Duration::from_secs(60)).await.unwrap();
        for message in &messages {
            world.storage().queue.delete(message).await.unwrap().unwrap();
        }
        assert_eq!(world.wake_ups(), vec![]);
        let worker = world.worker(&[ENABLED]);
        worker.drain_for(120).await;
        assert_eq!(world.wake_ups().len(), 1);
        worker.drain_for(120).await;
        assert_eq!(world.tasks(), (4, 4), "10:01 to 10:04");
    });
}

#[test]
fn missed_firings_follow_the_schedule_after_an_hour_without_workers() {
    for (missed, tasks) in [("Skip", 2), ("Once", 2), ("All", 60)] {
        run(move |world| async move {
            let text = format!(
                r#"{{"Cron":"*/1 * * * *","Missed":"{missed}","Task":{{"TaskName":"checksum","Input":"x"}}}}"#
            );
            world.put("report", &text).await;
            tokio::time::sleep(Duration::from_secs(3_605)).await;
            world.worker(&[ENABLED]).drain_for(20).await;
            // Two are late by less than the grace.
            assert_eq!(world.tasks().0, tasks, "{missed}");
        });
    }
    for (missed, tasks) in [("Skip", 0), ("Once", 1), ("All", 2)] {
        run(move |world| async move {
            let text = format!(
                r#"{{"Cron":"*/20 10 * * *","Missed":"{missed}","EndsAt":"2026-11-20T11:00:00Z","Task":{{"TaskName":"checksum","Input":"x"}}}}"#
            );
            world.put("report", &text).await;
            tokio::time::sleep(Duration::from_secs(7_200)).await;
            world.worker(&[ENABLED]).drain_for(20).await;
            assert_eq!(world.tasks(), (tasks, tasks), "{missed}: of 10:20 and 10:40");
            let next = world.wake_ups()[0].wake_up_at.since(world.now());
            assert!(next > Duration::from_secs(6 * 86_400), "none is due any more: {next:?}");
        });
    }
}

#[test]
fn paused_schedule_fires_again_after_it_is_resumed() {
    run(|world| async move {
        world.put("report", MINUTELY).await;
        let worker = world.worker(&[ENABLED]);
        world.change(|schedules, now, fresh| recurring::pause(schedules, "report", fresh, now)).await;
        worker.drain_for(180).await;
        assert_eq!((world.tasks(), world.wake_ups().len()), ((0, 0), 1));
        world.change(|schedules, now, fresh| recurring::resume(schedules, "report", fresh, now)).await;
        worker.drain_for(30).await;
        assert_eq!(world.tasks(), (3, 3), "it makes up for all missed ones");
    });
}

#[test]
fn firing_is_skipped_while_the_previous_task_runs() {
    run(|world| async move {
        let text = r#"{"Interval":"PT1M","Overlap":"Skip","Task":{"TaskName":"routed"}}"#;
        world.put("slow", text).await;
        world.respond_to_tasks(|_| (Duration::from_secs(150), http::Response::new(bytes::Bytes::new())));
        let worker = world.worker(&[ENABLED, ("task_timeout_seconds", "600")]);
        let task = tokio::task::spawn_local(async move {
            for _ in 0..60 {
                worker.drain().await;
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        tokio::time::sleep(Duration::from_secs(305)).await;
        assert_eq!(world.tasks().0, 2, "10:01 and 10:04");
        assert!(world.has_logged("a firing was skipped; the task of the previous one has not ended"));
        task.abort();
    });
}

#[test]
fn crash_after_any_request_leads_to_one_task_for_each_firing() {
    for crash_after in 0..12 {
        run(move |world| async move {
            world.put("report", MINUTELY).await;
            tokio::time::sleep(Duration::from_secs(61)).await;
            // The instance ends when it has sent this number of requests.
            let requests = Rc::new(Cell::new(0));
            let counted = Rc::clone(&requests);
            world.fail(move |_| {
                counted.set(counted.get() + 1);
                Fault::None
            });
            let worker = world.worker(&[ENABLED]);
            let crashed = async {
                while requests.get() <= crash_after {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            futures::future::select(Box::pin(worker.drain()), Box::pin(crashed)).await;
            world.end_faults();
            world.worker(&[ENABLED]).drain_for(100).await;
            let (exist, completed) = world.tasks();
            assert_eq!((exist, completed), (2, 2), "10:01 and 10:02, crash after {crash_after}");
            assert_eq!(world.wake_ups().len(), 1, "crash after {crash_after}");
        });
    }
}

#[test]
fn racing_workers_create_one_task_for_each_firing() {
    run(|world| async move {
        for name in ["a", "b", "c"] {
            world.put(name, MINUTELY).await;
        }
        let workers: Vec<_> = (0..4).map(|_| world.worker(&[ENABLED])).collect();
        for _ in 0..240 {
            futures::future::join_all(workers.iter().map(TestWorker::drain)).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert_eq!(world.tasks(), (57, 57), "three a minute for 19 minutes");
        assert!(world.wake_ups().len() <= 2, "{:?}", world.wake_ups());
    });
}

#[test]
fn obsolete_and_repeated_wake_ups_are_deleted_without_effect() {
    run(|world| async move {
        world.put("report", MINUTELY).await;
        let current = world.wake_ups()[0];
        for wake_up_id in 1..=20 {
            let obsolete = WakeUp { wake_up_id, ..current };
            world.storage().queue.send(QueueName::Scheduled, &obsolete.text(), Duration::ZERO).await.unwrap();
        }
        world.worker(&[ENABLED]).drain().await;
        assert_eq!((world.wake_ups(), world.tasks()), (vec![current], (0, 0)));
        tokio::time::sleep(Duration::from_secs(61)).await;
        world.storage().queue.send(QueueName::Scheduled, &current.text(), Duration::ZERO).await.unwrap();
        world.worker(&[ENABLED]).drain_for(20).await;
        assert_eq!((world.wake_ups().len(), world.tasks()), (1, (1, 1)));
    });
}

#[test]
fn worker_whose_clock_is_behind_hides_the_wake_up_until_it_is_due() {
    run(|world| async move {
        world.put("report", MINUTELY).await;
        tokio::time::sleep(Duration::from_secs(62)).await;
        world.set_clock(-30);
        let worker = world.worker(&[ENABLED]);
        worker.drain().await;
        assert_eq!((world.wake_ups().len(), world.tasks()), (1, (0, 0)));
        worker.drain_for(40).await;
        assert_eq!((world.wake_ups().len(), world.tasks()), (1, (1, 1)));
    });
}

#[test]
fn firing_is_tried_again_while_storage_fails() {
    run(|world| async move {
        world.put("report", MINUTELY).await;
        tokio::time::sleep(Duration::from_secs(61)).await;
        world.fail(|request| match request.operation {
            Operation::PutBlob => Fault::unavailable(),
            _ => Fault::None,
        });
        let worker = world.worker(&[ENABLED]);
        worker.drain_for(60).await;
        assert_eq!(world.tasks(), (0, 0));
        assert!(world.has_logged("schedules could not be processed; they are tried again"));
        world.end_faults();
        worker.drain_for(90).await;
        assert_eq!(world.tasks(), (3, 3), "10:01 to 10:03");
    });
}

#[test]
fn refused_task_of_one_schedule_does_not_delay_the_others() {
    run(|world| async move {
        let bad = world.put("bad", MINUTELY).await;
        world.put("good", MINUTELY).await;
        let refused = task_id("bad", bad.generation, at(1)).status_blob_name();
        world.fail(
            move |request| {
                if request.to_string().contains(&refused) { Fault::status(409) } else { Fault::None }
            },
        );
        let worker = world.worker(&[ENABLED]);
        worker.drain_for(150).await;
        assert_eq!(world.tasks(), (2, 2), "of the good one");
        assert!(world.has_logged("a task of a schedule could not be created; it is tried again"));
        world.end_faults();
        worker.drain_for(120).await;
        assert_eq!(world.tasks().0, 8, "10:01 to 10:04 of both");
    });
}

#[test]
fn schedule_of_another_release_stays_while_the_others_fire() {
    run(|world| async move {
        for name in ["bad", "good"] {
            world.put(name, MINUTELY).await;
        }
        let ApiStorage { store, .. } = world.api_storage();
        let part = store.read_attachment("schedules", 0..100_000, None).await.unwrap().unwrap();
        let text = String::from_utf8(part.bytes.to_vec()).unwrap();
        let newer = text.replacen(r#""Missed":"All""#, r#""Missed":"Latest""#, 1);
        let written = store.swap_attachment("schedules", "text/plain", newer.into(), Some(&part.etag)).await;
        assert!(matches!(written, Ok(storage::Write::Done(_))));
        let worker = world.worker(&[ENABLED]);
        worker.drain_for(150).await;
        assert_eq!(world.tasks(), (2, 2), "of the good one");
        assert!(world.has_logged("schedules that this release cannot read have no firings"));
        let schedules = world.schedules().await;
        assert!(schedules.has_unreadable("bad"));
        // The release that wrote it makes up for what it missed.
        let again = String::from_utf8(schedules.to_bytes()).unwrap().replace("Latest", "All");
        let etag = store.read_attachment("schedules", 0..1, None).await.unwrap().unwrap().etag;
        store.swap_attachment("schedules", "text/plain", again.into(), Some(&etag)).await.unwrap();
        worker.drain_for(70).await;
        assert_eq!(world.schedule("bad").await.last_fired_at, world.schedule("good").await.last_fired_at);
    });
}

#[test]
fn lost_responses_create_no_second_task_and_few_wake_ups() {
    run(|world| async move {
        world.put("report", MINUTELY).await;
        let mut count = 0;
        world.fail(move |_| {
            count += 1;
            if count % 3 == 0 { Fault::ResponseLost } else { Fault::None }
        });
        let worker = world.worker(&[ENABLED]);
        worker.drain_for(600).await;
        world.end_faults();
        worker.drain_for(60).await;
        let (exist, completed) = world.tasks();
        assert_eq!(exist, completed);
        assert!((10..=11).contains(&exist), "{exist}");
        assert!(world.wake_ups().len() <= 3, "{:?}", world.wake_ups());
    });
}
