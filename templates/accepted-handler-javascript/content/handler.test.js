import assert from "node:assert/strict";
import { test } from "node:test";

import { work } from "./handler.js";

test("result has the name of the input", async () => {
  const outcome = await work.run({ input: '{"name":"Ada"}' });
  assert.deepEqual(outcome, { tag: "json", val: '{"greeting":"Hello, Ada"}' });
});

test("input without a name fails the task", async () => {
  await assert.rejects(work.run({ input: "{}" }), { code: "invalid-input" });
});
