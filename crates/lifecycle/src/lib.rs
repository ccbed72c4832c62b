//! Given a stored task, a delivery, a policy and the time, says what happens next; never does it.
