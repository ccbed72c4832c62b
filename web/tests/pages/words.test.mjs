// What the dashboard says without a browser: words for states and times, numbers from metrics.

import assert from "node:assert/strict";
import { test } from "node:test";

import { idIn, sameList } from "../../pages/js/api.js";
import { brief, parse, queues } from "../../pages/js/charts.js";
import { ago, span, stateWord } from "../../pages/js/dom.js";
import { byName } from "../../pages/js/handlers.js";
import { parts } from "../../pages/js/timeline.js";

const from = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();

test("state is shown with its most specific word", () => {
  for (const [task, word] of [
    [{ status: "NotStarted" }, "Waiting"],
    [{ status: "NotStarted", notBefore: from(60) }, "Scheduled"],
    [{ status: "NotStarted", notBefore: from(-60) }, "Waiting"],
    [{ status: "Running" }, "Running"],
    [{ status: "Running", cancelRequested: true }, "Canceling"],
    [{ status: "Canceled", cancelRequested: true }, "Canceled"],
    [{ status: "Failed", notBefore: from(60) }, "Failed"],
    [{ status: "SomethingNew" }, "SomethingNew"],
  ]) {
    assert.equal(stateWord(task), word, JSON.stringify(task));
  }
});

test("times are relative to now, and durations have two units", () => {
  for (const [seconds, words] of [
    [-1, "just now"], [-59, "just now"], [-61, "1 min. ago"], [-7_300, "2 hr. ago"], [-200_000, "2 days ago"],
    [30.5, "in 31 s"], [3_605, "in 1 hr."],
  ]) {
    assert.equal(ago(from(seconds)), words);
  }
  assert.equal(ago(undefined), "");
  for (const [milliseconds, words] of [
    [0, "0.0 s"], [1_250, "1.3 s"], [59_400, "59 s"], [61_000, "1 min 1 s"], [3_720_000, "1 h 2 min"], [-5, "0.0 s"],
  ]) {
    assert.equal(span(milliseconds).replaceAll("\u00a0", " "), words);
  }
});

test("metrics are parsed with labels and without comments", () => {
  const values = parse('# HELP a b\n# TYPE a gauge\na 1\nb{queue="x y"} 2.5\n\nbroken\nc{d="}"} 1e3 1700000000\n');
  assert.deepEqual([...values], [["a", 1], ['b{queue="x y"}', 2.5], ['c{d="}"}', 1000]]);
});

test("queues of all priorities count together, and a missing number is not taken for zero", () => {
  const lines = (messages, ages) => parse([
    ...Object.entries(messages).map(([queue, count]) => `accepted_queue_messages{queue="${queue}"} ${count}`),
    ...Object.entries(ages).map(([queue, age]) => `accepted_queue_oldest_message_age_seconds{queue="${queue}"} ${age}`),
  ].join("\n"));
  for (const [messages, ages, tasks, oldest] of [
    [{ tasks: 7 }, { tasks: 12.5 }, 7, 12.5],
    [{ high: 1, tasks: 2, low: 4 }, { high: 3, tasks: 0, low: 90 }, 7, 90],
    [{ high: 1, low: 4 }, { high: 3, tasks: 0, low: 90 }, undefined, 90],
    [{ high: 1, tasks: 2, low: 4 }, { tasks: 5 }, 7, undefined],
    [{}, {}, undefined, undefined],
  ]) {
    const found = queues(lines({ ...messages, scheduled: 8, poison: 0 }, ages));
    assert.deepEqual(found, { tasks, oldest, scheduled: 8, poison: 0 }, JSON.stringify([messages, ages]));
  }
  const words = [[0, "0 s"], [59.9, "59 s"], [61, "1 min"], [7_300, "2 h"], [200_000, "2 d"]];
  for (const [seconds, word] of words) assert.equal(brief(seconds), word);
});

test("next link of another host or prefix continues at this one", () => {
  assert.equal(sameList("http://10.0.0.1:8080/tasks?top=25&continuation=a%2Fb"), "/tasks?top=25&continuation=a%2Fb");
  assert.equal(sameList("https://gateway.example/jobs/v1/tasks?top=1"), "/tasks?top=1");
});

test("address of a task has its id in any spelling that the API reads", () => {
  const id = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b";
  for (const text of [id, id.toUpperCase(), id.replaceAll("-", "")]) assert.equal(idIn(`#${text}`), id);
  for (const text of ["", "#", "#tasks", "#%", `#${id}0`, `#${id.slice(1)}`]) assert.equal(idIn(text), undefined, text);
});

test("timeline has the waits, attempts and retries of a task in order", () => {
  const at = (seconds) => new Date(1_800_000_000_000 + seconds * 1000).toISOString();
  const task = {
    createdDateTime: at(0), notBefore: at(10), status: "Succeeded", finishedDateTime: at(40),
    history: [
      { attempt: 1, startedDateTime: at(12), endedDateTime: at(15), outcome: "Retried" },
      { attempt: 2, startedDateTime: at(20), endedDateTime: at(22), outcome: "Failed" },
      { startedDateTime: at(30), outcome: "RetryRequested" },
      { attempt: 3, startedDateTime: at(31), endedDateTime: at(40), outcome: "Completed" },
    ],
  };
  const shown = parts(task).map((part) => `${part.kind} ${part.word} ${(part.to - part.from) / 1000}`);
  assert.deepEqual(shown, [
    "wait Scheduled 10", "wait Queued 2", "bad Attempt 1 3", "wait Waits for the next attempt 5", "bad Attempt 2 2",
    "wait Ended 8", "wait Queued again 1", "good Attempt 3 9",
  ]);
  const now = Date.parse(at(60));
  const running = { createdDateTime: at(0), status: "Running", history: [{ attempt: 1, startedDateTime: at(5) }] };
  assert.deepEqual(parts(running, now).map((part) => [part.kind, part.to - part.from]), [["wait", 5_000], ["run", 55_000]]);
  assert.deepEqual(parts({ createdDateTime: at(0), status: "NotStarted" }, now).map((part) => part.word), ["Queued"]);
  assert.deepEqual(parts({ status: "NotStarted" }), []);
  const failed = { attempt: 1, startedDateTime: at(2), endedDateTime: at(3), outcome: "Retried" };
  const canceled = (history, end) => parts({ createdDateTime: at(0), status: "Canceled", finishedDateTime: at(end), history });
  assert.deepEqual(canceled([failed], 9).map((part) => part.word), ["Queued", "Attempt 1", "Waits for the next attempt"]);
  assert.deepEqual(canceled([failed], 3.2).map((part) => part.word), ["Queued", "Attempt 1"]);
  assert.deepEqual(canceled([], 5).map((part) => part.word), ["Queued"]);
});

test("handlers are counted by name, the most frequent first", () => {
  const task = (name, status, took) =>
    ({ name, status, startedDateTime: from(0), finishedDateTime: took === undefined ? undefined : from(took) });
  const rows = byName([task("b", "Succeeded", 3), task("b", "Failed", 1), task("a", "Running"), task("b", "Succeeded", 9)]);
  assert.deepEqual(rows.map(({ name, count, running, failed }) => [name, count, running, failed]), [["b", 3, 0, 1], ["a", 1, 1, 0]]);
  assert.equal(Math.round(rows[0].median / 1000), 3);
  assert.equal(rows[1].median, undefined);
});
