// Events of the operator's sink over sockets, read by the SDK of CloudEvents.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { HTTP } from "cloudevents";

import { ended, sleep, startApp, submit } from "../support/app.mjs";

const WAIT_MS = 60_000;
const KEY = "key-of-the-topic";
const received = [];
let app;
let server;

before(async () => {
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    received.push({ url: request.url, headers: request.headers, body });
    // The first call of each event fails.
    const { id } = JSON.parse(body);
    const count = received.filter((call) => JSON.parse(call.body).id === id).length;
    response.writeHead(count === 1 ? 503 : 200).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `http://127.0.0.1:${server.address().port}`;
  app = await startApp({
    event_sink_url: `${host}/api/events?api-version=2018-01-01`,
    event_sink_host: host,
    event_sink_auth: "key",
    event_sink_key: KEY,
    simulate_unit_ms: "20",
  });
});

after(async () => {
  await app?.stop();
  server?.closeAllConnections();
  server?.close();
});

/** Waits until the sink has confirmed `kinds` of the task; one call of each event. */
async function delivered(id, kinds) {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(200)) {
    const calls = received.filter((call) => JSON.parse(call.body).subject === id);
    const events = new Map();
    for (const call of calls) {
      const { id: event, type } = JSON.parse(call.body);
      events.set(event, { type, call, count: (events.get(event)?.count ?? 0) + 1 });
    }
    const done = [...events.values()].filter(({ count }) => count >= 2);
    if (kinds.every((kind) => done.some(({ type }) => type === `accepted.task.${kind}`))) return done;
  }
  throw new Error(`events of ${id} are missing\n${app.output()}`);
}

/** Waits until the delivery of the end is recorded, which follows the sink's response. */
async function settled(id) {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(200)) {
    const { eventSink } = await (await fetch(`${app.url}/tasks/${id}`)).json();
    if (eventSink.status !== "Due") return eventSink;
  }
  throw new Error(`the event of the end of ${id} is still due\n${app.output()}`);
}

test("every event is a valid CloudEvent that is delivered again under its id", async () => {
  const { id } = await submit(app.url, { TaskName: "checksum", Input: "hello" });
  const task = await ended(app.url, id);
  const events = await delivered(id, ["accepted", "started", "ended"]);
  assert.equal(events.length, 3);
  const times = { accepted: task.createdDateTime, started: task.startedDateTime, ended: task.finishedDateTime };
  for (const { call, count } of events) {
    assert.equal(count, 2);
    assert.deepEqual([call.url, call.headers["aeg-sas-key"]], ["/api/events?api-version=2018-01-01", KEY]);
    const event = HTTP.toEvent({ headers: call.headers, body: call.body });
    assert.ok(event.validate());
    assert.deepEqual([event.specversion, event.source, event.subject], ["1.0", "/accepted/taskqueue", id]);
    assert.equal(event.datacontenttype, "application/json");
    const kind = event.type.replace("accepted.task.", "");
    assert.equal(Date.parse(event.time), Date.parse(times[kind]));
    assert.ok(event.id.startsWith(`${id}-${kind}-`));
    assert.deepEqual([event.data.id, event.data.name], [id, "checksum"]);
  }
  const eventSink = await settled(id);
  assert.deepEqual([eventSink.status, eventSink.attempts, eventSink.lastOutcome], ["Delivered", 2, "HTTP 200"]);
  assert.ok(!app.output().includes(KEY) && !app.output().includes("api-version"));
});

test("cancelled task has an acceptance and an end", async () => {
  const { id } = await submit(app.url, { TaskName: "simulate", DelaySeconds: 3600 });
  assert.equal((await fetch(`${app.url}/tasks/${id}/cancel`, { method: "POST" })).status, 200);
  const events = await delivered(id, ["accepted", "ended"]);
  const end = events.find(({ type }) => type === "accepted.task.ended");
  assert.equal(HTTP.toEvent({ headers: end.call.headers, body: end.call.body }).data.status, "Canceled");
});
