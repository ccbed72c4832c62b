// The timeline of a task: when it waited, when each attempt ran, and how it ended.

import { el, isTerminal, span } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 28];
// Shorter parts could not be seen.
const MIN_WIDTH = 3;
// The document of a task that has ended is written a moment after its last attempt.
const LEAST_WAIT_MS = 1_000;

/**
 * The parts of a task's life in their order: `{ kind, word, from, to }`, times in milliseconds. `kind` is `wait`, `run`,
 * `good`, `bad` or `stop`.
 */
export function parts(task, now = Date.now()) {
  const found = [];
  const begin = Date.parse(task.createdDateTime);
  if (Number.isNaN(begin)) return found;
  const end = isTerminal(task) ? Date.parse(task.finishedDateTime) || Date.parse(task.lastActionDateTime) : now;
  let at = begin;
  const wait = (to, word) => {
    if (to > at) found.push({ kind: "wait", word, from: at, to });
    at = Math.max(at, to);
  };
  const due = Date.parse(task.notBefore);
  if (due > begin) wait(Math.min(due, end), "Scheduled");
  let word = "Queued";
  for (const record of task.history || []) {
    const from = Date.parse(record.startedDateTime);
    if (Number.isNaN(from)) continue;
    if (record.outcome === "RetryRequested") {
      wait(from, "Ended");
      word = "Queued again";
      continue;
    }
    wait(from, word);
    const to = Math.max(from, Date.parse(record.endedDateTime) || end);
    const kind = { Completed: "good", Failed: "bad", Retried: "bad", Abandoned: "bad", Cancelled: "stop" }[record.outcome] || "run";
    found.push({ kind, word: `Attempt ${record.attempt}`, from, to });
    at = Math.max(at, to);
    word = "Waits for the next attempt";
  }
  if (!isTerminal(task)) wait(end, task.status === "Running" ? "Running" : word);
  else if (end - at >= LEAST_WAIT_MS) wait(end, word);
  return found;
}

/** The drawing, and the same as words; empty while there is nothing to draw. */
export function timeline(task) {
  const shown = parts(task);
  if (shown.length === 0) return [];
  const [from, to] = [shown[0].from, Math.max(...shown.map((part) => part.to))];
  const scale = (WIDTH - shown.length * MIN_WIDTH) / Math.max(1, to - from);
  const svg = document.createElementNS(SVG, "svg");
  const words = shown.map((part) => `${part.word} ${span(part.to - part.from)}`);
  const attributes = { class: "timeline", role: "img", "aria-label": `Timeline: ${words.join(", ")}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  let x = 0;
  for (const part of shown) {
    const width = MIN_WIDTH + (part.to - part.from) * scale;
    const bar = document.createElementNS(SVG, "rect");
    // What waits is drawn lower than what runs, so that colour is not the only difference.
    const height = part.kind === "wait" ? HEIGHT / 3 : HEIGHT;
    for (const [name, value] of Object.entries({ class: part.kind, x, y: HEIGHT - height, width: Math.max(1, width - 1), height })) bar.setAttribute(name, value);
    svg.append(bar);
    x += width;
  }
  const waited = shown.filter((part) => part.kind === "wait").reduce((sum, part) => sum + part.to - part.from, 0);
  const caption = `${span(to - from)} in all, ${span(waited)} of it waiting`;
  return [el("h3", {}, "Timeline"), el("figure", {}, svg, el("figcaption", {}, caption))];
}
