import assert from "node:assert/strict";
import { test } from "node:test";

import { attempt, Retry } from "./attempt.js";
import { work } from "./handler.js";

test("result has the name of the input", async () => {
  const outcome = await work.run({ input: '{"name":"Ada"}' });
  assert.deepEqual(outcome, { tag: "json", val: '{"greeting":"Hello, Ada"}' });
});

test("input without a name fails the task", async () => {
  await assert.rejects(work.run({ input: "{}" }), { code: "invalid-input" });
});

test("unexpected exception is a failure that is tried again", async () => {
  const run = attempt(async () => null.name);
  await assert.rejects(run(), { code: "exception", message: /TypeError/, retry: { tag: "backed-off" } });
});

test("Retry asks for another attempt, after its seconds", async () => {
  const run = attempt(async (seconds) => {
    throw new Retry("not yet", seconds);
  });
  await assert.rejects(run(), { message: "not yet", retry: { tag: "backed-off" } });
  await assert.rejects(run(4.5), { message: "not yet", retry: { tag: "after", val: 5 } });
});
