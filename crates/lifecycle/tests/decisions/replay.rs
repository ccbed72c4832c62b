//! The replay of poison messages.

use lifecycle::replay::{Refusal, Replay, replay};
use lifecycle::retry::{Retry, retry};
use models::{MessageError, TaskMessage, TaskState};

use crate::samples::{at, foreign, id, in_state, pending};

fn parsed(text: &str) -> Result<TaskMessage, MessageError> {
    TaskMessage::parse(text)
}

#[test]
fn document_decides_what_a_replay_does() {
    use TaskState::{Cancelled, Completed, Failed, InProgress, Pending};
    let ours = parsed(&TaskMessage::text_for(&pending(), Some("\"1\"")));
    let unusable = parsed(&format!(r#"{{"TaskId":"{}","Priority":99}}"#, id()));
    let dotnet = parsed(&TaskMessage::text_for(&foreign(Failed), None));
    let unreadable = parsed("not a task");
    let failed = in_state(Failed);
    let Retry::Again(again) = retry(&failed, Some("alice"), at(9)) else { panic!("it failed") };
    let ended = |state| Replay::Refuse(Refusal::Ended(state));
    for (message, document, expected) in [
        (&ours, Some(failed.clone()), Replay::Retry(again.clone())),
        (&ours, Some(in_state(Pending)), Replay::SendMessage),
        (&ours, Some(in_state(InProgress)), Replay::SendMessage),
        (&ours, Some(in_state(Completed)), ended(Completed)),
        (&ours, Some(in_state(Cancelled)), ended(Cancelled)),
        (&ours, None, Replay::Refuse(Refusal::TaskIsGone)),
        (&unusable, Some(failed.clone()), Replay::Retry(again.clone())),
        (&unusable, None, Replay::Refuse(Refusal::TaskIsGone)),
        (&unreadable, Some(failed.clone()), Replay::Refuse(Refusal::NamesNoTask)),
        (&unreadable, None, Replay::Refuse(Refusal::NamesNoTask)),
        // The state of a document of the .NET API is random until a worker has written it.
        (&dotnet, Some(foreign(Completed)), Replay::SendOriginal),
        (&dotnet, Some(failed.clone()), Replay::Retry(again)),
        (&dotnet, None, Replay::SendOriginal),
    ] {
        let state = document.as_ref().map(|document| document.state);
        assert_eq!(
            replay(message, document.as_ref(), Some("alice"), at(9)),
            expected,
            "{message:?} {state:?}"
        );
    }
}

#[test]
fn second_replay_sends_another_message_and_changes_no_document() {
    let message = parsed(&TaskMessage::text_for(&pending(), Some("\"1\"")));
    let Replay::Retry(again) = replay(&message, Some(&in_state(TaskState::Failed)), None, at(9)) else {
        panic!("it failed")
    };
    assert_eq!(replay(&message, Some(&again), None, at(10)), Replay::SendMessage);
}
