// What clients do with the components, over sockets and under whichever host runs them: `cargo xtask test` runs these
// journeys under the embedded host, `cargo xtask test --host spin` under Spin itself.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { ended, sleep, startApp, submit } from "../support/app.mjs";
import { startHandler } from "../support/handler.mjs";

let app;
let handler;

before(async () => {
  handler = await startHandler();
  app = await startApp({ ...handler.variables, visibility_timeout_seconds: "4", simulate_unit_ms: "20", body_limit_bytes: "1048576" });
});

after(async () => {
  await app?.stop();
  await handler?.stop();
});

const JSON_TYPE = { "content-type": "application/json" };
const post = (path, body, headers = {}) =>
  fetch(app.url + path, { method: "POST", headers: { ...JSON_TYPE, ...headers }, body: typeof body === "string" ? body : JSON.stringify(body) });
const get = (path, headers = {}) => fetch(app.url + path, { headers });

test("all of 40 concurrent first requests are accepted and end", async () => {
  const responses = await Promise.all(Array.from({ length: 40 }, () => post("/tasks", { TaskName: "simulate", Priority: 2 })));
  assert.deepEqual([...new Set(responses.map(({ status }) => status))], [202]);
  const ids = await Promise.all(responses.map(async (response) => (await response.json()).id));
  assert.equal(new Set(ids).size, 40);
  const ends = await Promise.all(ids.map((id) => ended(app.url, id)));
  assert.deepEqual([...new Set(ends.map(({ status }) => status))], ["Succeeded"]);
});

test("result follows 202, and Location reads the document from storage", async () => {
  const accepted = await post("/tasks", { TaskName: "checksum", Input: "hello" });
  assert.equal(accepted.status, 202);
  const { id } = await accepted.json();
  assert.equal(accepted.headers.get("operation-location"), `${app.url}/tasks/${id}`);
  assert.ok(Number(accepted.headers.get("retry-after")) >= 1);
  const end = await ended(app.url, id);
  assert.equal(end.status, "Succeeded");
  assert.equal(end.result.bytes, 5);
  const location = accepted.headers.get("location");
  const document = await (await fetch(location)).json();
  assert.deepEqual([document.TaskId, document.Status], [id, 2]);
  const bare = await fetch(location.split("?")[0]);
  assert.ok([403, 404, 409].includes(bare.status), `${bare.status}`);
});

test("original route responds in any letter case with no body", async () => {
  for (const path of ["/Tasks/QueueTask", "/tasks/queuetask", "/TASKS/QUEUETASK"]) {
    const accepted = await post(path, { taskname: "simulate", PRIORITY: 0 });
    assert.equal(accepted.status, 202, path);
    assert.equal(await accepted.text(), "");
    assert.ok(accepted.headers.get("location"));
  }
});

test("repeated submission succeeds, and other content is refused", async () => {
  const task = { TaskId: randomUUID(), TaskName: "simulate", Input: { text: "one" } };
  const first = await post("/tasks", task);
  const second = await post("/tasks", task);
  assert.deepEqual([first.status, second.status], [202, 202]);
  assert.equal((await second.json()).id, task.TaskId);
  const other = await post("/tasks", { ...task, Input: { text: "two" } });
  assert.equal(other.status, 422);
  assert.match(other.headers.get("content-type"), /^application\/problem\+json/);
  await ended(app.url, task.TaskId);
});

test("any text and large documents are returned unchanged", async () => {
  const texts = ["n".repeat(4096), "Überprüfung 漢字 🚀 \u202ex", "\"quotes\" 'and' <&> ]]> &amp; \\ /", "controls \u0000 \u0001 \t \r\n \u007f \uffff"];
  for (const text of texts) {
    const accepted = await post("/tasks", { TaskName: text, TaskDescription: text });
    const { id } = await accepted.json();
    assert.equal((await ended(app.url, id)).name, text);
    assert.equal((await (await fetch(accepted.headers.get("location"))).json()).TaskDescription, text);
  }
  const { id } = await submit(app.url, { TaskName: "simulate", Input: { text: "x".repeat(200_000) } });
  assert.equal((await ended(app.url, id)).status, "Succeeded");
});

test("scheduled task can be canceled and deleted", async () => {
  const { id } = await submit(app.url, { TaskName: "simulate", DelaySeconds: 3600 });
  assert.equal((await get(`/tasks/${id}`).then((response) => response.json())).status, "NotStarted");
  assert.equal((await post(`/tasks/${id}/cancel`, "")).status, 200);
  assert.equal((await ended(app.url, id)).status, "Canceled");
  assert.equal((await fetch(`${app.url}/tasks/${id}`, { method: "DELETE" })).status, 204);
  assert.equal((await get(`/tasks/${id}`)).status, 404);
});

test("running task is canceled, and a failed one retried", async () => {
  const { id: long } = await submit(app.url, { TaskName: "slow", Input: { milliseconds: 20_000 } });
  for (let state = ""; state !== "Running"; await sleep(100)) state = (await (await get(`/tasks/${long}`)).json()).status;
  assert.ok([200, 202].includes((await post(`/tasks/${long}/cancel`, "")).status));
  assert.equal((await ended(app.url, long)).status, "Canceled");

  const { id: failing } = await submit(app.url, { TaskName: "fail" });
  const first = await ended(app.url, failing);
  assert.equal(first.status, "Failed");
  assert.ok([200, 202].includes((await post(`/tasks/${failing}/retry`, "")).status));
  const again = await ended(app.url, failing);
  assert.equal(again.status, "Failed");
  assert.ok(again.attempt > first.attempt, "a further attempt was made");
});

test("monitor responds 304 without a change, and waits on request", async () => {
  const { id } = await submit(app.url, { TaskName: "simulate", DelaySeconds: 3600 });
  const etag = (await get(`/tasks/${id}`)).headers.get("etag");
  assert.equal((await get(`/tasks/${id}`, { "if-none-match": etag })).status, 304);
  const begun = Date.now();
  assert.equal((await get(`/tasks/${id}`, { prefer: "wait=2" })).status, 200);
  assert.ok(Date.now() - begun >= 1_500, "it waited");
  await post(`/tasks/${id}/cancel`, "");
});

test("event stream sends every state and then ends", async () => {
  const { id } = await submit(app.url, { TaskName: "slow", Input: { milliseconds: 1_500 } });
  const stream = await get(`/tasks/${id}`, { accept: "text/event-stream" });
  assert.match(stream.headers.get("content-type"), /^text\/event-stream/);
  const text = await stream.text();
  assert.match(text, /"status":"Succeeded"/);
});

test("every refusal is a problem document, and the connection continues", async () => {
  for (const [path, body, headers, status] of [
    ["/tasks", "{", {}, 400],
    ["/tasks", "[]", {}, 400],
    ["/tasks", { TaskName: 7 }, {}, 400],
    ["/tasks", { TaskName: "x".repeat(5000) }, {}, 400],
    ["/tasks", { TaskName: "x", Priority: 9 }, {}, 400],
    ["/tasks", "{}", { "content-type": "text/plain" }, 415],
    ["/tasks", JSON.stringify({ TaskName: "x", Input: "y".repeat(2_000_000) }), {}, 413],
    ["/tasks/no-such-id/cancel", "", {}, 404],
  ]) {
    const response = await post(path, body, headers);
    assert.equal(response.status, status, `${path} ${JSON.stringify(body).slice(0, 40)}`);
    assert.match(response.headers.get("content-type"), /^application\/problem\+json/);
    assert.equal((await response.json()).status, response.status);
  }
  assert.equal((await get("/healthz")).status, 200);
  assert.equal((await get("/readyz")).status, 200);
});

test("drain route refuses callers without the token", async () => {
  assert.equal((await post("/drain", "")).status, 401);
  assert.equal((await post("/drain", "", { authorization: "Bearer wrong" })).status, 401);
});

test("HEAD equals GET without a body; unknown methods and routes are refused", async () => {
  const head = await fetch(`${app.url}/healthz`, { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  assert.equal((await fetch(`${app.url}/tasks`, { method: "PUT" })).status, 405);
  assert.equal((await get("/no/such/route")).status, 404);
});

/** What comes back for these bytes until the connection ends. */
function raw(bytes) {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes, "latin1"));
    socket.setTimeout(20_000, () => socket.destroy(new Error(`no end after ${text}`)));
    socket.on("data", (data) => (text += data.toString("latin1"))).on("error", reject).on("close", () => resolve(text));
  });
}

test("host's own responses are those of docs/operations.md", async () => {
  assert.equal(await raw("GET /healthz HTTP/1.0\r\n\r\n"), "", "without Host the connection is closed");
  assert.match(await raw("GET /healthz HTTP/1.1\r\nhost: a\r\nx: \xff\r\nconnection: close\r\n\r\n"), /^HTTP\/1\.1 500 [^]*\r\n\r\n$/);
  assert.match(await raw("GET /.well-known/spin/health HTTP/1.0\r\n\r\n"), /^HTTP\/1\.0 200 OK/);
});
