//! `cargo xtask up`: everything on this machine until Ctrl-C.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::artefacts;
use crate::stack::interrupt::{Interrupted, Interrupts};
use crate::stack::options::UpOptions;
use crate::stack::process::Output;
use crate::stack::programs::is_built_before;
use crate::stack::{Plan, Stack};

/// Runs until a signal, or until something ends by itself.
///
/// # Errors
/// When something cannot be started or ends by itself.
pub(crate) fn run(options: UpOptions) -> Result<()> {
    if !is_built_before() {
        artefacts::reference();
    }
    let mut interrupts = Interrupts::catch()?;
    let trigger = !options.no_trigger;
    let plan = Plan {
        handlers: options.stack.handlers,
        options: options.stack,
        listen: Some(options.listen),
        trigger,
        isolated: false,
        output: Output::Terminal,
        variables: Vec::new(),
    };
    let mut stack = match Stack::start(&plan, &mut interrupts) {
        Ok(stack) => stack,
        // Stopped while starting: that is no failure.
        Err(error) if error.is::<Interrupted>() => return Ok(()),
        Err(error) => return Err(error),
    };
    announce(&stack, trigger);
    loop {
        if interrupts.arrived() {
            eprintln!("\nstopping; running tasks may finish, another Ctrl-C hands them back");
            stack.stop(&mut interrupts);
            return Ok(());
        }
        if let Err(error) = stack.check(&mut interrupts) {
            stack.stop(&mut interrupts);
            bail!(error);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn announce(stack: &Stack, trigger: bool) {
    let (base, credentials) = (&stack.base, stack.credentials);
    let drain =
        if trigger { "the launcher drains the queue" } else { "the queue is not drained (--no-trigger)" };
    let state = stack.not_ready.as_ref().map_or_else(
        || "Ready.".to_owned(),
        |reason| format!("NOT READY: tasks are refused. {reason}\nIt becomes ready by itself once storage is available."),
    );
    println!(
        "
{state}

  dashboard       {base}/
  API reference   {base}/swagger
  runs on         {}; {drain}
  stored in       {}

Submit a task, then follow it at its Operation-Location:

  curl -i {base}/tasks -H 'content-type: application/json'{credentials} -d '{{\"TaskName\":\"simulate\",\"Priority\":2}}'

Ctrl-C stops everything.
",
        stack.host, stack.storage_description
    );
    for name in &stack.undeclared {
        println!("{name} has no effect: spin.toml declares no such variable.\n");
    }
}
