// How an attempt ends without a result.

/** The longest time that a message can stay hidden. */
const MAX_SECONDS = 7 * 24 * 60 * 60;

/** Fails the task. */
export class Fail extends Error {
  code = "invalid-input";
  retry = { tag: "never" };
}

/**
 * Ends the attempt. Another one follows while attempts are left: after the worker's back-off, or after `seconds` if that
 * is later.
 */
export class Retry extends Error {
  code = "try-again";

  constructor(message, seconds) {
    super(message);
    this.retry = seconds === undefined ? { tag: "backed-off" } : { tag: "after", val: whole(seconds) };
  }
}

function whole(seconds) {
  return Math.ceil(Math.min(Math.max(seconds, 0), MAX_SECONDS)) || 0;
}

/** A `run` that turns every exception into a failure: uncaught, it would end the other tasks of this instance too. */
export function attempt(run) {
  return async (task) => {
    try {
      return await run(task);
    } catch (error) {
      throw failure(error);
    }
  };
}

function failure(error) {
  if (error?.retry?.tag) {
    return { code: String(error.code), message: String(error.message), retry: error.retry };
  }
  return { code: "exception", message: String(error), retry: { tag: "backed-off" } };
}
