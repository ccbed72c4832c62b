// One task in full: facts, progress, result or error, history, and what can be done with it.

import { at, idIn, key, send, taskPath } from "./api.js";
import { confirmed } from "./confirm.js";
import { $, ago, el, isTerminal, say, show, span, stateWord, time } from "./dom.js";
import { refresh } from "./live.js";
import * as store from "./store.js";
import { timeline } from "./timeline.js";

const dialog = $("detail");
const RESULT_SHOWN_CHARS = 20_000;
let parts;
let id = null;
let busy = false;

export const current = () => id;

const OUTCOMES = {
  Cancelled: "Canceled",
  Retried: "Failed temporarily",
  Abandoned: "Its worker disappeared",
  Released: "Handed back by a stopping worker",
  RetryRequested: "Retry asked for",
};

const ACTIONS = [
  { word: "Cancel", method: "POST", path: "/cancel", fits: (task) => !isTerminal(task) && !task.cancelRequested,
    done: (status) => (status === 202 ? "Cancel requested: the worker stops at its next check." : "Canceled before it started.") },
  { word: "Retry", method: "POST", path: "/retry", fits: (task) => task.status === "Failed",
    done: () => "Accepted again: a new attempt follows." },
  { word: "Delete", method: "DELETE", path: "", fits: isTerminal, sure: "Delete it for good" },
];

function build() {
  parts = {
    state: el("span", { class: "state" }),
    title: el("h2", { id: "detail-title" }),
    description: el("p", { class: "hint" }),
    bar: el("progress", { max: 100, "aria-label": "Progress" }),
    note: el("p", { class: "note" }),
    said: el("p", { role: "status", class: "said" }),
    actions: el("div", { class: "actions" }),
    error: el("div", { class: "error" }),
    facts: el("dl", { class: "facts" }),
    result: el("section", {}),
    timeline: el("section", {}),
    history: el("section", {}),
  };
  dialog.replaceChildren(
    el("div", { class: "head" }, parts.state, el("button", { type: "button", class: "plain close", onclick: close }, "Close")),
    parts.title, parts.description, parts.bar, parts.note, parts.error, parts.actions, parts.said,
    parts.result, parts.facts, parts.timeline, parts.history,
  );
}

function fact(name, ...value) {
  return value[0] ? [el("dt", {}, name), el("dd", {}, ...value)] : [];
}

function callback(delivery) {
  if (!delivery) return "";
  const { status, attempts, lastOutcome } = delivery;
  const word = { Due: attempts ? "Not delivered yet" : "Not called yet", GivenUp: "Given up" }[status] ?? status;
  return attempts ? `${word} · ${attempts === 1 ? "1 call" : `${attempts} calls`} · ${lastOutcome}` : word;
}

function facts(task) {
  const end = task.finishedDateTime;
  const took = end && task.startedDateTime ? ` · took ${span(Date.parse(end) - Date.parse(task.startedDateTime))}` : "";
  const waited = task.startedDateTime ? ` · waited ${span(Date.parse(task.startedDateTime) - Date.parse(task.createdDateTime))}` : "";
  return [
    ...fact("Id", el("code", {}, task.id)),
    ...fact("Priority", task.priority),
    ...fact("Attempt", task.attempt && String(task.attempt)),
    ...fact("Accepted", time(task.createdDateTime)),
    ...(isTerminal(task) ? [] : fact("Not before", time(task.notBefore))),
    ...fact("Started", time(task.startedDateTime), waited),
    ...fact("Finished", time(end), took),
    ...fact("Last change", !end && time(task.lastActionDateTime)),
    ...fact("Receiver", callback(task.callback)),
    ...fact("Event sink", callback(task.eventSink)),
    ...fact("Kept until", time(task.expiresDateTime)),
  ];
}

function result(task) {
  if (task.status !== "Succeeded") return [];
  const link = el("a", { href: at(`${taskPath(task.id)}/result`), onclick: download }, "Open the result on its own");
  if (task.result === undefined) {
    return task.resultLocation ? [el("h3", {}, "Result"), el("p", {}, "It is too large to show here, or not JSON. ", link)] : [];
  }
  const text = JSON.stringify(task.result, null, 2);
  const shown = text.length > RESULT_SHOWN_CHARS ? `${text.slice(0, RESULT_SHOWN_CHARS)}\n… cut here` : text;
  return [el("h3", {}, "Result"), el("pre", { tabindex: 0 }, shown), el("p", {}, link)];
}

/** A link cannot carry a key, so with one the result is fetched and saved. */
async function download(event) {
  if (!key.get()) return;
  event.preventDefault();
  const task = id;
  try {
    const response = await send("GET", `${taskPath(task)}/result`, { large: true });
    const url = URL.createObjectURL(await response.blob());
    el("a", { href: url, download: `${task}-result` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (problem) {
    tell(problem.sentence ?? "The result did not arrive completely.", true);
  }
}

function attempt(record, index, all) {
  const asked = record.outcome === "RetryRequested";
  const by = record.by ? ` by ${record.by}` : "";
  const took = record.endedDateTime && !asked
    ? ` · ${span(Date.parse(record.endedDateTime) - Date.parse(record.startedDateTime))}`
    : "";
  const runs = !record.outcome && index === all.length - 1 && store.get(id)?.status === "Running";
  const outcome = record.outcome || (runs ? "Running" : "Interrupted");
  const word = OUTCOMES[outcome] || outcome;
  return el("li", { "data-outcome": outcome },
    el("strong", {}, asked ? `${word}${by}` : `Attempt ${record.attempt}: ${word}`),
    el("span", { class: "hint" }, time(record.startedDateTime), took),
    record.error && el("span", { class: "note" }, record.error.message));
}

function history(task) {
  return task.history?.length
    ? [el("h3", {}, "History"), el("ol", { class: "history" }, ...task.history.map(attempt).reverse())]
    : [];
}

function render() {
  const task = store.get(id);
  if (!task) return;
  dialog.dataset.state = task.status;
  say(parts.state, stateWord(task));
  say(parts.title, task.name);
  show(parts.description, task.description);
  parts.bar.hidden = task.status !== "Running";
  if (task.percentComplete === undefined) parts.bar.removeAttribute("value");
  else parts.bar.value = task.percentComplete;
  const percent = task.percentComplete === undefined ? "" : `${task.percentComplete} %`;
  show(parts.note, task.status === "Running" ? [percent, task.message].filter(Boolean).join(" · ") : "");
  const waiting = task.status === "NotStarted";
  const start = Date.parse(task.notBefore) > Date.now() ? `Starts ${ago(task.notBefore)}.` : "";
  if (waiting && start) show(parts.note, start);
  parts.error.hidden = !task.error;
  if (task.error) parts.error.replaceChildren(el("strong", {}, task.error.code), el("span", {}, task.error.message));
  parts.facts.replaceChildren(...facts(task));
  // Rebuilt only when it changes: a reader may have scrolled or selected in it.
  const print = JSON.stringify([task.status, task.result, task.history]);
  if (parts.result.dataset.print !== print) {
    parts.result.dataset.print = print;
    parts.result.replaceChildren(...result(task));
    parts.history.replaceChildren(...history(task));
  }
  parts.timeline.replaceChildren(...timeline(task));
  buttons(task);
}

function buttons(task) {
  const fitting = ACTIONS.filter((action) => action.fits(task));
  const print = fitting.map((action) => action.word).join();
  if (parts.actions.dataset.print !== print) {
    const focused = parts.actions.contains(document.activeElement);
    parts.actions.dataset.print = print;
    parts.actions.replaceChildren(
      ...fitting.map((action) => (action.sure
        ? confirmed(action.word, action.sure, () => act(action))
        : el("button", { type: "button", onclick: () => act(action) }, action.word))));
    if (focused) dialog.querySelector(".close").focus();
  }
  for (const button of parts.actions.children) button.disabled = busy;
}

async function act(action) {
  const task = id;
  busy = true;
  tell("");
  render();
  try {
    const response = await send(action.method, taskPath(task) + action.path);
    if (action.method === "DELETE") {
      close();
      store.drop(task);
      say($("announce"), "Task deleted.");
      return;
    }
    tell(action.done(response.status));
    await refresh(task);
  } catch (problem) {
    tell(problem.sentence, true);
    refresh(task).catch(() => undefined);
  } finally {
    busy = false;
    if (id) render();
  }
}

function tell(text, failed) {
  parts.said.classList.toggle("error", Boolean(failed));
  show(parts.said, text);
}

function close() {
  dialog.close();
}

/** Opens the task that the address names, or closes. */
async function route() {
  const wanted = idIn(location.hash);
  if (!wanted) {
    if (dialog.open) close();
    return;
  }
  id = wanted;
  build();
  tell("");
  say(parts.title, "Loading …");
  parts.bar.hidden = true;
  parts.error.hidden = true;
  render();
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  try {
    await refresh(id);
  } catch (problem) {
    if (id === wanted && !store.get(id)) {
      say(parts.title, problem.status === 404 ? "No such task" : "Not available");
      tell(problem.sentence, true);
    }
  }
  render();
}

export function start() {
  addEventListener("hashchange", route);
  dialog.addEventListener("close", () => {
    id = null;
    window.history.replaceState(null, "", location.pathname + location.search);
  });
  // A click beside the panel closes it.
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  store.onChange((task, before) => {
    if (id && (task || before).id === id) render();
  });
  route();
}
