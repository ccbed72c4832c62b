//! What the components log arrives in the host, whole and line by line.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Setup, World, id_of};

/// The ids of tasks in lines with this message.
fn logged(world: &World, message: &str) -> Vec<String> {
    let lines = world.log.lines().into_iter().filter(|line| line.text.contains(message));
    let id = |text: &str| {
        let line: Value = serde_json::from_str(text).expect("a line is one JSON object");
        line["task_id"].as_str().unwrap().to_owned()
    };
    let mut ids: Vec<_> = lines.map(|line| id(&line.text)).collect();
    ids.sort();
    ids
}

#[tokio::test(start_paused = true)]
async fn each_accepted_task_has_one_line_whether_instances_live_on_or_end() {
    let mut short_lived = Setup::with_account_key();
    short_lived.limits.max_instance_reuse_count = 3;
    for setup in [short_lived, Setup::with_account_key().in_one_instance()] {
        let world = setup.start();
        let task = json!({"TaskName": "simulate"});
        let accepted = join_all((0..40).map(|_| world.submit(&task))).await;
        let mut ids: Vec<_> = accepted.iter().map(id_of).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 40, "no id is given twice");
        assert_eq!(logged(&world, "task accepted"), ids);
    }
}
