// What each handler has done lately, from the tasks loaded here.

import { $, el, isTerminal, show, span } from "./dom.js";
import * as store from "./store.js";

const SHOWN = 8;
const PAUSE_MS = 1_000;

/** Numbers by task name, the most frequent first: tasks, those running, those that failed, and the median of their run times. */
export function byName(tasks) {
  const names = new Map();
  for (const task of tasks) {
    const found = names.get(task.name) || { name: task.name, count: 0, running: 0, failed: 0, times: [] };
    found.count += 1;
    found.running += task.status === "Running";
    found.failed += task.status === "Failed";
    const took = Date.parse(task.finishedDateTime) - Date.parse(task.startedDateTime);
    if (isTerminal(task) && took >= 0) found.times.push(took);
    names.set(task.name, found);
  }
  const rows = [...names.values()].map(({ times, ...row }) => {
    times.sort((a, b) => a - b);
    return { ...row, median: times[Math.floor(times.length / 2)] };
  });
  return rows.sort((a, b) => b.count - a.count || a.name.localeCompare(b.name));
}

function render() {
  if (!$("handlers").open) return;
  const rows = byName(store.all());
  const cell = (value, kind) => el("td", { class: kind }, String(value));
  $("handlers-rows").replaceChildren(...rows.slice(0, SHOWN).map((row) =>
    el("tr", {},
      el("th", { scope: "row", title: row.name }, row.name),
      cell(row.count), cell(row.running), cell(row.failed, row.failed ? "bad" : undefined),
      cell(row.median === undefined ? "–" : span(row.median)))));
  $("handlers-table").hidden = rows.length === 0;
  const more = rows.length > SHOWN ? `${rows.length - SHOWN} more names. ` : "";
  show($("handlers-note"), rows.length ? `${more}Of the tasks loaded here.` : "No tasks are loaded.");
}

export function start() {
  let planned;
  $("handlers").addEventListener("toggle", render);
  store.onChange(() => {
    planned ||= setTimeout(() => ((planned = 0), render()), PAUSE_MS);
  });
}
