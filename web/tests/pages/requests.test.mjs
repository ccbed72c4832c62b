// How the dashboard sends requests, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { send } from "../../pages/js/api.js";

const LIMIT_MS = 30_000;
globalThis.sessionStorage = { getItem: () => null };

/** Responses of the API from now on; the signals of the requests. */
function respond(make) {
  const signals = [];
  globalThis.fetch = async (_, { signal }) => (signals.push(signal), make());
  return signals;
}

const broken = (status) => () => {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
    pull: (controller) => controller.error(new TypeError("the connection broke off")),
  });
  return new Response(body, { status });
};

test("response that breaks off is a problem with a sentence", async () => {
  for (const status of [200, 503]) {
    respond(broken(status));
    await assert.rejects(send("GET", "/tasks"), { status: 0, sentence: "The API cannot be reached." });
  }
});

test("response keeps its status, headers and body", async () => {
  respond(() => Response.json({ a: 1 }, { status: 202, headers: { etag: '"1"' } }));
  const response = await send("POST", "/tasks", { body: "{}" });
  assert.deepEqual([response.status, response.headers.get("etag"), await response.json()], [202, '"1"', { a: 1 }]);
  for (const status of [204, 304]) {
    respond(() => new Response(null, { status }));
    assert.equal((await send("GET", "/tasks")).status, status);
  }
});

test("time limit includes the body, unless it is large", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const signals = respond(() => new Response("all of it"));
  await send("GET", "/result", { large: true });
  context.mock.timers.tick(LIMIT_MS);
  assert.equal(signals[0].aborted, false);

  globalThis.fetch = async (_, { signal }) => {
    const start = (controller) => signal.addEventListener("abort", () => controller.error(signal.reason));
    return new Response(new ReadableStream({ start }));
  };
  const slow = send("GET", "/tasks");
  await new Promise((resolve) => setImmediate(resolve));
  context.mock.timers.tick(LIMIT_MS);
  await assert.rejects(slow, { status: 0 });
});
