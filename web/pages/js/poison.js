// The poison queue: what was given up, with its reason; replay and removal of one or all.

import { send } from "./api.js";
import { confirmed } from "./confirm.js";
import { $, ago, el, say, show } from "./dom.js";

const RELOAD_MS = 10_000;
// Requests for all messages, each for up to 200, before a person is asked to go on.
const MAX_REQUESTS = 20;

let shown = "";

const path = (id) => `/poison/${encodeURIComponent(id)}`;

function tell(text, failed) {
  $("poison-said").classList.toggle("error", Boolean(failed));
  say($("poison-said"), text);
}

async function act(work) {
  tell("");
  try {
    tell(await work());
  } catch (problem) {
    tell(problem.sentence, true);
  }
  await load();
}

/** Repeats a request for all messages until nothing changes any more. */
async function all(action, done) {
  let changed = 0;
  for (let request = 0; request < MAX_REQUESTS; request += 1) {
    const report = await (await send("POST", `/poison:${action}?top=200`)).json();
    changed += report.changed;
    if (report.changed === 0 || report.left === 0) {
      const skipped = report.skipped ? ` ${report.skipped} cannot be replayed.` : "";
      const failed = report.failed ? ` ${report.failed} failed.` : "";
      return `${changed} ${done}.${skipped}${failed}`;
    }
  }
  return `${changed} ${done}; more are left.`;
}

/** Shows the original below its message, or hides it. */
async function original(message, item, button) {
  const before = item.querySelector("pre");
  if (before) {
    before.remove();
    say(button, "Show message");
    return;
  }
  try {
    const { original: text } = await (await send("GET", path(message.id))).json();
    item.append(el("pre", { tabindex: 0 }, text === undefined ? "The original is not kept any more." : text));
    say(button, "Hide message");
  } catch (problem) {
    tell(problem.sentence, true);
  }
}

function row(message) {
  const task = message.taskId
    ? el("a", { href: `#${message.taskId}` }, `Task ${message.taskId.slice(0, 8)}`)
    : el("span", { class: "hint" }, message.kind ? `Kind ${message.kind}` : "Names no task");
  const toggle = el("button", { type: "button", class: "plain", onclick: () => original(message, item, toggle) }, "Show message");
  const item = el("li", {},
    el("p", {}, message.reason || "Put here by another program."),
    el("p", { class: "hint" }, task, ` · ${ago(message.insertedDateTime)}`),
    el("div", { class: "row" },
      (!message.kind || message.kind === "event") && confirmed("Replay", "Replay it", () =>
        act(async () => (await send("POST", `${path(message.id)}/replay`), `The ${message.kind ?? "task"} is queued again.`))),
      confirmed("Remove", "Remove it for good", () =>
        act(async () => (await send("DELETE", path(message.id)), "The message is removed."))),
      toggle));
  return item;
}

async function load() {
  try {
    const list = await (await send("GET", "/poison")).json();
    const print = JSON.stringify(list);
    if (print === shown) return;
    shown = print;
    $("poison-list").replaceChildren(...list.value.map(row));
    $("poison-all").hidden = list.value.length === 0;
    const more = list.count > list.value.length ? `The first ${list.value.length} of ${list.count}.` : "";
    show($("poison-empty"), list.value.length === 0 ? "No message was given up." : more);
    $("poison-empty").classList.remove("error");
  } catch (problem) {
    shown = "";
    $("poison-list").replaceChildren();
    $("poison-all").hidden = true;
    show($("poison-empty"), problem.sentence);
    $("poison-empty").classList.add("error");
  }
}

export function start() {
  const card = $("poison");
  $("poison-all").append(
    confirmed("Replay all", "Replay every message", () => act(() => all("replay", "replayed"))),
    confirmed("Remove all", "Remove every message for good", () => act(() => all("delete", "removed"))));
  // Read only while the card is open: each time is two requests to storage.
  const isOpen = () => card.open && !document.hidden;
  // A row that asks for confirmation, or shows its message, stays as it is.
  const isUsed = () => card.querySelector(".sure, pre, :disabled");
  card.addEventListener("toggle", () => isOpen() && load());
  setInterval(() => isOpen() && !isUsed() && load(), RELOAD_MS);
}
