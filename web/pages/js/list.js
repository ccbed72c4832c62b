// The list of tasks: filters, pages, rows.

import { parse, sameList, send } from "./api.js";
import { $, ago, el, isTerminal, say, show, stateWord } from "./dom.js";
import { refresh, watch } from "./live.js";
import * as store from "./store.js";

const PAGE = 25;
// A page may be empty although more follow; so many are read before a person is asked to go on.
const PAGES_AT_ONCE = 5;
const RELOAD_MS = 10_000;

const rows = new Map();
let next = null;
let state = "loading";
let failure = "";
let generation = 0;
let reading = 0;
let opened = () => undefined;

const filters = () => new FormData($("filters"));

/** The filters as parameters of a request. */
export function filterQuery() {
  const form = filters();
  const parameters = new URLSearchParams();
  if (form.get("status")) parameters.set("status", form.get("status"));
  if (form.get("name")) parameters.set("name", form.get("name"));
  if (form.get("since")) parameters.set("createdAfter", since(form).toISOString());
  return parameters;
}

function query() {
  const parameters = filterQuery();
  parameters.set("top", PAGE);
  return `/tasks?${parameters}`;
}

const since = (form) => new Date(Date.now() - Number(form.get("since")) * 60_000);

/** Whether a task fits the filters as they are now; they are read once for all tasks. */
function passing() {
  const form = filters();
  const [status, name] = [form.get("status"), form.get("name")];
  const begin = form.get("since") ? since(form).getTime() : undefined;
  return (task) =>
    (!status || status === task.status) &&
    (!name || name === task.name) &&
    (begin === undefined || Date.parse(task.createdDateTime) >= begin);
}

async function read(path) {
  const mine = (generation += 1);
  let found = 0;
  reading += 1;
  try {
    for (let page = 0; path && page < PAGES_AT_ONCE && found === 0; page += 1) {
      const { value, nextLink } = parse(await (await send("GET", path)).text());
      if (mine !== generation) return;
      value.forEach((task) => store.put(task));
      found += value.length;
      path = nextLink ? sameList(nextLink) : null;
    }
    next = path;
    state = "ready";
  } catch (problem) {
    if (mine !== generation) return;
    state = "failed";
    failure = problem.sentence;
  } finally {
    reading -= 1;
  }
  render();
}

/** Reads the first page anew; what is already shown stays. */
async function reload() {
  if (reading) return;
  const keep = rows.size > PAGE ? next : undefined;
  await read(query());
  if (keep !== undefined && state === "ready") {
    next = keep;
    render();
  }
}

/** Forgets the tasks and reads the first page: many may have changed or be gone. */
export async function restart() {
  next = null;
  state = "loading";
  store.clear();
  await read(query());
}

function row(task) {
  const parts = {
    link: el("a", { href: `#${task.id}`, class: "name" }),
    word: el("span", { class: "state" }),
    meta: el("span", { class: "meta" }),
    bar: el("progress", { max: 100, "aria-label": "Progress" }),
    note: el("span", { class: "note" }),
  };
  parts.item = el("li", {}, parts.link, parts.word, parts.meta, parts.bar, parts.note);
  return parts;
}

/** What is worth a line of its own: why it failed, when it starts, what its handler says. */
function note(task) {
  if (task.status === "Failed") return task.error?.message;
  if (isTerminal(task)) return "";
  if (stateWord(task) === "Scheduled") return `Starts ${ago(task.notBefore)}`;
  return task.message || task.error?.message;
}

function fill(parts, task) {
  const running = task.status === "Running";
  parts.item.dataset.state = task.status;
  say(parts.link, task.name);
  say(parts.word, stateWord(task));
  const attempt = task.attempt > 1 ? ` · attempt ${task.attempt}` : "";
  say(parts.meta, `${task.id.slice(0, 8)} · ${task.priority}${attempt} · ${ago(task.createdDateTime)}`);
  parts.bar.hidden = !running;
  if (running && task.percentComplete !== undefined) parts.bar.value = task.percentComplete;
  else parts.bar.removeAttribute("value");
  show(parts.note, note(task));
}

function render() {
  const tasks = store.all().filter(passing());
  tasks.sort((a, b) => (b.createdDateTime || "").localeCompare(a.createdDateTime || "") || a.id.localeCompare(b.id));
  const ids = new Set(tasks.map((task) => task.id));
  for (const [id, parts] of rows) {
    if (!ids.has(id)) {
      parts.item.remove();
      rows.delete(id);
    }
  }
  const list = $("list");
  tasks.forEach((task, index) => {
    if (!rows.has(task.id)) rows.set(task.id, row(task));
    const parts = rows.get(task.id);
    fill(parts, task);
    // Moved only when out of place, which keeps the keyboard's focus where it is.
    if (list.children[index] !== parts.item) list.insertBefore(parts.item, list.children[index] || null);
  });
  words(tasks.length);
  // What starts only later is left to the reloads of the list.
  const soon = Date.now() + RELOAD_MS;
  const busy = tasks.filter((task) => !isTerminal(task) && !(Date.parse(task.notBefore) > soon));
  busy.sort((a, b) => (b.status === "Running") - (a.status === "Running"));
  watch([opened(), ...busy.map((task) => task.id)].filter(Boolean));
}

function words(count) {
  const some = [...filters().values()].some(Boolean);
  say($("count"), count ? `${count}${next ? " loaded, more follow" : ""}` : "");
  $("more").hidden = !next || state === "loading";
  const empty = {
    loading: "Loading …",
    failed: `The tasks could not be read. ${failure}`,
    ready: some ? "No task fits this filter." : "No tasks yet. Submit one, and watch it go from accepted to done.",
  };
  show($("empty"), state === "failed" || count === 0 ? empty[state] : "");
  $("empty").classList.toggle("error", state === "failed");
}

function filtered() {
  const form = filters();
  const address = new URL(location.href);
  for (const name of ["status", "since", "name"]) {
    if (form.get(name)) address.searchParams.set(name, form.get(name));
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
  next = null;
  state = "loading";
  store.clear();
  render();
  load();
}

async function load() {
  await Promise.allSettled([read(query()), ...store.mine().map(refresh)]);
}

/** Starts the list; `current` tells which task is open beside it. */
export function start(current) {
  opened = current;
  const given = new URL(location.href).searchParams;
  for (const field of $("filters").elements) if (given.has(field.name)) field.value = given.get(field.name);
  let pause;
  $("filters").addEventListener("input", (event) => {
    clearTimeout(pause);
    pause = setTimeout(filtered, event.target.type === "search" ? 400 : 0);
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("refresh").addEventListener("click", load);
  $("more").addEventListener("click", () => read(next));
  let planned = false;
  store.onChange(() => {
    if (!planned) requestAnimationFrame(() => ((planned = false), render()));
    planned = true;
  });
  setInterval(() => document.hidden || reload(), RELOAD_MS);
  // Ages are words that grow old.
  setInterval(() => document.hidden || render(), 15_000);
  render();
  return load();
}
