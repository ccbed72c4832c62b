// The task handler `{{project-name | kebab_case}}`. It must be idempotent: after a crash the task runs again.

import { attempt, Fail } from "./attempt.js";

export const work = {
  run: attempt(async (task) => {
    const input = JSON.parse(task.input ?? "null");
    if (typeof input?.name !== "string") {
      // After any other exception the task is tried again.
      throw new Fail("Input needs a name");
    }
    return { tag: "json", val: JSON.stringify({ greeting: `Hello, ${input.name}` }) };
  }),
};
