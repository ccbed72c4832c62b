// What the dashboard says without a browser: words for states and times, numbers from metrics.

import assert from "node:assert/strict";
import { test } from "node:test";

import { sameList } from "../../pages/js/api.js";
import { parse } from "../../pages/js/charts.js";
import { ago, span, stateWord } from "../../pages/js/dom.js";

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

test("next link of another host or prefix continues at this one", () => {
  assert.equal(sameList("http://10.0.0.1:8080/tasks?top=25&continuation=a%2Fb"), "/tasks?top=25&continuation=a%2Fb");
  assert.equal(sameList("https://gateway.example/jobs/v1/tasks?top=1"), "/tasks?top=1");
});
