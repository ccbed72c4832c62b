// Pollers of the Azure SDKs follow tasks to their end, unmodified.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { getClient } from "@azure-rest/core-client";
import { createHttpPoller } from "@azure/core-lro";

import { startApp } from "../support/app.mjs";
import { startHandler } from "../support/handler.mjs";
import { run } from "../support/python.mjs";

let app;
let handler;

before(async () => {
  handler = await startHandler();
  app = await startApp({ ...handler.variables, visibility_timeout_seconds: "4", simulate_unit_ms: "20" });
});

after(async () => {
  await app?.stop();
  await handler?.stop();
});

/** A poller as the clients that are generated for JavaScript build theirs. */
function poller(task) {
  const client = getClient(app.url, { allowInsecureConnection: true });
  const shape = ({ status, headers, body, request }) => ({
    flatResponse: body,
    rawResponse: { statusCode: Number(status), headers, body, request: { method: request.method, url: request.url } },
  });
  const lro = {
    sendInitialRequest: async () => shape(await client.path("/tasks").post({ body: task })),
    sendPollRequest: async (address) => shape(await client.pathUnchecked(address).get()),
  };
  return createHttpPoller(lro, { intervalInMs: 100 });
}

test("JavaScript poller returns the result of a task", async () => {
  const following = poller({ TaskName: "slow", Input: { milliseconds: 1500 } });
  const seen = [];
  following.onProgress((state) => seen.push(state.status));
  const task = await following.pollUntilDone();
  assert.equal(task.status, "Succeeded");
  assert.deepEqual(task.result, { slept: true, input: { milliseconds: 1500 } });
  assert.equal(following.operationState.status, "succeeded");
  assert.ok(seen.includes("running"), seen.join());
});

test("JavaScript poller reports why a task failed", async () => {
  await assert.rejects(poller({ TaskName: "fail" }).pollUntilDone(), /HandlerFailed\. The report has no month\./);
});

test("JavaScript poller ends when a task is canceled", async () => {
  const following = poller({ TaskName: "simulate", DelaySeconds: 3600 });
  await following.submitted();
  const { id } = (await (await fetch(`${app.url}/tasks?status=NotStarted`)).json()).value[0];
  const canceling = await fetch(`${app.url}/tasks/${id}/cancel`, { method: "POST" });
  assert.equal(canceling.status, 200);
  await assert.rejects(following.pollUntilDone(), /canceled/);
});

for (const [name, expected] of [
  ["large", (end) => assert.equal(end.result.status, "Succeeded")],
  ["fail", (end) => assert.match(end.error, /The report has no month\./)],
]) {
  test(`Python poller ends with a task named ${name}`, async () => {
    const script = fileURLToPath(new URL("poller.py", import.meta.url));
    const { code, output } = await run("python", [script, app.url, name], { milliseconds: 120_000 });
    assert.equal(code, 0, output);
    const end = JSON.parse(output.trim().split("\n").at(-1));
    assert.equal(end.status, name === "fail" ? "Failed" : "Succeeded", output);
    expected(end);
  });
}
