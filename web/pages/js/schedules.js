// Schedules: what is due again and again, when next; pause, run, change and deletion of one.

import { parse, send } from "./api.js";
import { confirmed } from "./confirm.js";
import { $, ago, el, say, show, time } from "./dom.js";
import * as form from "./schedule-form.js";
import * as store from "./store.js";

const RELOAD_MS = 10_000;
const COUNT_MS = 1_000;

let shown = "";
// The button whose action runs: a disabled button loses the focus, and its row is drawn again.
let acting;

export const path = (name, action) => `/schedules/${encodeURIComponent(name)}${action ? `:${action}` : ""}`;

/** The task of a schedule and when it is due, in one line. Names of members are case-insensitive. */
export function due({ task, cron, timeZone, interval }) {
  const [, name] = Object.entries(task).find(([member]) => member.toLowerCase() === "taskname") || [];
  return `${name || "task"} · ${cron ? `${cron} · ${timeZone || "UTC"}` : `every ${interval}`}`;
}

/** A future moment as seen from now. */
const ahead = (text) => (Date.parse(text) > Date.now() ? ago(text) : "now");

function tell(text, failed) {
  $("schedules-said").classList.toggle("error", Boolean(failed));
  say($("schedules-said"), text);
}

async function act(key, work) {
  tell("");
  acting = key;
  try {
    tell(await work());
  } catch (problem) {
    tell(problem.sentence, true);
  }
  await load();
  acting = undefined;
}

const post = async (name, action, done) => {
  await send("POST", path(name, action));
  return done;
};

async function run(name) {
  const task = parse(await (await send("POST", path(name, "run"))).text());
  store.remember(task.id);
  store.put(task);
  return `${name} runs now as task ${task.id.slice(0, 8)}.`;
}

async function edit(name) {
  tell("");
  try {
    const response = await send("GET", path(name));
    form.open(parse(await response.text()), response.headers.get("etag"));
  } catch (problem) {
    tell(problem.sentence, true);
    await load();
  }
}

/** A button that keeps the focus when its row is drawn again. */
function keyed(key, button) {
  button.dataset.key = key;
  return button;
}

function times(schedule) {
  const [next] = schedule.nextFirings;
  const parts = [];
  if (next) parts.push("Next ", el("span", { "data-next": next }, ahead(next)), ", ", time(next));
  if (schedule.lastFiringDateTime) {
    parts.push(next ? " · last " : "Last ", el("span", { "data-last": schedule.lastFiringDateTime }, ago(schedule.lastFiringDateTime)));
  }
  if (schedule.lastTaskId) parts.push(" · ", el("a", { href: `#${schedule.lastTaskId}` }, `Task ${schedule.lastTaskId.slice(0, 8)}`));
  return el("p", { class: "hint" }, ...(parts.length ? parts : ["No firing yet."]));
}

function row(schedule) {
  const { name, status } = schedule;
  const button = (kind, word, sure, work) => {
    const key = `${name} ${kind}`;
    return keyed(key, confirmed(word, sure, () => act(key, work)));
  };
  const change = keyed(`${name} edit`, el("button", { type: "button", onclick: () => edit(name) }, "Edit"));
  return el("li", { "data-status": status },
    el("p", {}, el("strong", {}, name), el("span", { class: "badge" }, status)),
    el("p", { class: "hint" }, due(schedule)),
    times(schedule),
    el("div", { class: "row", role: "group", "aria-label": name },
      status === "Paused" && button("pause", "Resume", "Resume it", () => post(name, "resume", `${name} is resumed.`)),
      status === "Active" && button("pause", "Pause", "Pause it", () => post(name, "pause", `${name} is paused.`)),
      button("run", "Run now", "Run it once now", () => run(name)),
      change,
      button("delete", "Delete", "Delete it for good", async () => {
        await send("DELETE", path(name));
        return `${name} is deleted.`;
      })));
}

/** Draws the rows anew, and focuses the button that had the focus. */
function draw(schedules) {
  const list = $("schedules-list");
  const { activeElement: active, body } = document;
  const key = list.contains(active) ? active.dataset.key || acting : active === body ? acting : undefined;
  list.replaceChildren(...schedules.map(row));
  if (key) ([...list.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key) || $("schedule-open")).focus();
}

async function load() {
  try {
    const text = await (await send("GET", "/schedules")).text();
    if (text === shown) return;
    shown = text;
    const { value, unreadable } = parse(text);
    draw(value);
    $("schedules-new").hidden = false;
    const none = value.length === 0 ? "There is no schedule." : "";
    show($("schedules-empty"), unreadable ? `Schedules of another release that cannot be read: ${unreadable}.` : none);
    $("schedules-empty").classList.remove("error");
  } catch (problem) {
    shown = "";
    $("schedules-list").replaceChildren();
    $("schedules-new").hidden = true;
    show($("schedules-empty"), problem.sentence);
    $("schedules-empty").classList.add("error");
  }
}

function count(card) {
  for (const node of card.querySelectorAll("[data-next]")) say(node, ahead(node.dataset.next));
  for (const node of card.querySelectorAll("[data-last]")) say(node, ago(node.dataset.last));
}

export function start() {
  const card = $("schedules");
  form.start(async (sentence) => {
    tell(sentence);
    await load();
  });
  $("schedule-open").addEventListener("click", () => {
    tell("");
    form.open();
  });
  // Read only while the card is open: each time is a request to storage.
  const isOpen = () => card.open && !document.hidden;
  // A row that asks for confirmation, or is being changed, stays as it is.
  const isUsed = () => card.querySelector(".sure, :disabled") || $("schedule").open;
  card.addEventListener("toggle", () => isOpen() && load());
  setInterval(() => isOpen() && !isUsed() && load(), RELOAD_MS);
  setInterval(() => isOpen() && count(card), COUNT_MS);
}
