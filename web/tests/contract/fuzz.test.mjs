// Schemathesis makes requests up from the API's own description and judges the responses by it: no 5xx, no
// status, media type, header or body that is not described.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";

import { ended, startApp, submit } from "../support/app.mjs";
import { startHandler } from "../support/handler.mjs";
import { run } from "../support/python.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const OUTPUT = path("../../../test-output/");
const EXAMPLES = Number(process.env.ACCEPTED_FUZZ_EXAMPLES || 40);
const LIMIT_MS = 8 * 60_000;

let app;
let handler;

before(async () => {
  handler = await startHandler();
  app = await startApp({ ...handler.variables, simulate_unit_ms: "1", body_limit_bytes: "65536", schedules: "true" });
});

after(async () => {
  await app?.stop();
  await handler?.stop();
});

/** Tasks in every state; made-up ids alone would only ever meet 404. */
async function tasks() {
  const make = async (task) => (await submit(app.url, task)).id;
  const done = { succeeded: await make({ TaskName: "slow", Input: { milliseconds: 1 } }), large: await make({ TaskName: "large" }), failed: await make({ TaskName: "fail" }) };
  await Promise.all(Object.values(done).map((id) => ended(app.url, id)));
  return { ...done, scheduled: await make({ TaskName: "simulate", DelaySeconds: 604_800 }) };
}

/**
 * The fuzzer's configuration. HEAD and OPTIONS have responses but, being no operations of their own, not
 * described one by one. What is refused for reasons that no schema can tell (a moment too far away) or
 * accepted although a schema cannot tell why (names in any case) is not judged. Header values that are not UTF-8
 * get their response from the host and are not sent.
 */
function configuration(id) {
  const chosen = id ? `\n[parameters]\n"path.id" = "${id}"\n` : "";
  return `hooks = "${path("fuzz_hooks.py")}"

[phases.coverage]
unexpected-methods = ["PUT", "PATCH", "TRACE"]

[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = false

[output.sanitization]
enabled = true
${chosen}`;
}

// One worker: with two, releases of Python 3.11 and 3.12 now and then fail in the parser of their own sources with
// "AST constructor recursion depth mismatch" (python/cpython#106905).
async function fuzz(name, id, options) {
  mkdirSync(OUTPUT, { recursive: true });
  const config = `${OUTPUT}fuzz-${name}.toml`;
  writeFileSync(config, configuration(id));
  const { code, output } = await run(
    "schemathesis",
    ["--config-file", config, "run", `${app.url}/openapi.json`, "--max-examples", String(EXAMPLES), "--seed", "1",
      "--generation-database", "none", "--request-timeout", "30", "--workers", "1", ...options],
    { milliseconds: LIMIT_MS, cwd: OUTPUT },
  );
  writeFileSync(`${OUTPUT}fuzz-${name}.log`, output);
  assert.equal(code, 0, output.slice(-8_000));
}

test("responses to generated requests match the description", () => fuzz("any", undefined, []));

test("responses for tasks in every state match the description", async () => {
  for (const [state, id] of Object.entries(await tasks())) {
    // Tasks that go on for days have streams that go on for minutes.
    const streams = state === "scheduled" ? ["--exclude-operation-id", "streamTask"] : [];
    await fuzz(state, id, ["--include-path-regex", "^/tasks/\\{id\\}", "--phases", "examples,coverage,fuzzing", ...streams]);
  }
});
