// Events of ended tasks over sockets, verified by the reference library of Standard Webhooks.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { Webhook, WebhookVerificationError } from "standardwebhooks";

import { ended, sleep, startApp, submit } from "../support/app.mjs";

const WAIT_MS = 60_000;
const secrets = [randomBytes(24), randomBytes(32)].map((key) => `whsec_${key.toString("base64")}`);
const received = [];
let app;
let receiver;
let elsewhere;

/** A server on a free port; every request goes to `respond` with its body. */
async function serve(respond) {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    respond(request, body, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, server };
}

before(async () => {
  elsewhere = await serve((request, body, response) => {
    received.push({ path: "elsewhere", headers: request.headers, body });
    response.writeHead(204).end();
  });
  receiver = await serve((request, body, response) => {
    const path = request.url;
    const count = received.filter((call) => call.path === path).length;
    received.push({ path, headers: request.headers, body });
    if (path === "/redirect" && count === 0) response.writeHead(307, { location: elsewhere.url }).end();
    else if (path === "/broken" && count < 2) response.writeHead(503, { "retry-after": "1" }).end();
    else if (path === "/gone") response.writeHead(410).end();
    else response.writeHead(204).end();
  });
  app = await startApp({ callback_hosts: receiver.url, callback_secrets: secrets.join(","), simulate_unit_ms: "20" });
});

after(async () => {
  await app?.stop();
  for (const { server } of [receiver, elsewhere].filter(Boolean)) {
    server.closeAllConnections();
    server.close();
  }
});

const callsOf = (path) => received.filter((call) => call.path === path);

/** Waits until the delivery of a task's event is over; the monitor. */
async function settled(id) {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(200)) {
    const task = await (await fetch(`${app.url}/tasks/${id}`)).json();
    if (task.callback && task.callback.status !== "Due") return task;
  }
  throw new Error(`the event of ${id} is still due\n${app.output()}`);
}

test("signature is verified with either key, and not with another", async () => {
  const { id } = await submit(app.url, { TaskName: "checksum", Input: "hello", CallbackUri: `${receiver.url}/done` });
  const task = await settled(id);
  assert.deepEqual([task.callback.status, task.callback.attempts, task.callback.lastOutcome], ["Delivered", 1, "HTTP 204"]);
  const [call] = callsOf("/done");
  for (const secret of secrets) {
    const event = new Webhook(secret).verify(call.body, call.headers);
    assert.deepEqual([event.type, event.data.id, event.data.status], ["task.succeeded", id, "Succeeded"]);
    assert.equal(event.data.result.bytes, 5);
    assert.equal(Date.parse(event.timestamp), Date.parse(task.finishedDateTime));
  }
  const other = new Webhook(`whsec_${randomBytes(24).toString("base64")}`);
  assert.throws(() => other.verify(call.body, call.headers), WebhookVerificationError);
  assert.throws(() => new Webhook(secrets[0]).verify(`${call.body} `, call.headers), WebhookVerificationError);
});

test("failed event comes again under the same id", async () => {
  const { id } = await submit(app.url, { TaskName: "simulate", CallbackUri: `${receiver.url}/broken` });
  const task = await settled(id);
  assert.deepEqual([task.callback.status, task.callback.attempts], ["Delivered", 3]);
  const calls = callsOf("/broken");
  assert.equal(new Set(calls.map(({ headers }) => headers["webhook-id"])).size, 1);
  for (const { body, headers } of calls) new Webhook(secrets[0]).verify(body, headers);
});

test("redirect is not followed", async () => {
  const { id } = await submit(app.url, { TaskName: "simulate", CallbackUri: `${receiver.url}/redirect` });
  assert.equal((await settled(id)).callback.attempts, 2);
  assert.equal(callsOf("elsewhere").length, 0);
});

test("cancelled task has an event, and 410 ends its delivery", async () => {
  const { id } = await submit(app.url, { TaskName: "simulate", DelaySeconds: 3600, CallbackUri: `${receiver.url}/gone` });
  assert.equal((await fetch(`${app.url}/tasks/${id}/cancel`, { method: "POST" })).status, 200);
  const task = await settled(id);
  assert.deepEqual([task.callback.status, task.callback.lastOutcome], ["GivenUp", "HTTP 410"]);
  const [{ body, headers }] = callsOf("/gone");
  assert.equal(new Webhook(secrets[0]).verify(body, headers).type, "task.canceled");
});

test("receiver that is not listed is 400", async () => {
  const body = JSON.stringify({ CallbackUri: `${elsewhere.url}/` });
  const response = await fetch(`${app.url}/tasks`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(response.status, 400);
  assert.match((await response.json()).detail, /callback_hosts/);
  const { id } = await submit(app.url, { TaskName: "simulate" });
  assert.equal((await ended(app.url, id)).callback, undefined);
});
