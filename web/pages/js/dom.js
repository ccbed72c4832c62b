// Building elements, and saying things in words.

/** An element; `on…` attributes are listeners, false and undefined ones are left out. Text is never markup. */
export function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== false && child !== ""));
  return node;
}

export const $ = (id) => document.getElementById(id);

/** Sets text only when it differs, so that screen readers hear no repetition. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows a sentence, or hides the element when there is none. */
export function show(node, text) {
  say(node, text || "");
  node.hidden = !text;
}

const STATES = {
  NotStarted: "Waiting",
  Running: "Running",
  Succeeded: "Succeeded",
  Failed: "Failed",
  Canceled: "Canceled",
};

export const isTerminal = (task) => ["Succeeded", "Failed", "Canceled"].includes(task.status);

/** The state as a word for people. */
export function stateWord(task) {
  if (isTerminal(task)) return STATES[task.status];
  if (task.cancelRequested) return "Canceling";
  if (task.status === "NotStarted" && Date.parse(task.notBefore) > Date.now()) return "Scheduled";
  return STATES[task.status] || task.status;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

/** A moment as seen from now, such as "3 minutes ago". */
export function ago(text) {
  const seconds = (Date.parse(text) - Date.now()) / 1000;
  if (Number.isNaN(seconds)) return "";
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return seconds > 1 ? `in ${Math.ceil(seconds)} s` : "just now";
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function time(text) {
  return Number.isNaN(Date.parse(text)) ? "" : el("time", { datetime: text, title: text }, moment.format(Date.parse(text)));
}

/** The length of a span in its two largest units. */
export function span(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)}\u00a0s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}\u00a0min ${Math.floor(seconds % 60)}\u00a0s`;
  return `${Math.floor(seconds / 3_600)}\u00a0h ${Math.floor((seconds % 3_600) / 60)}\u00a0min`;
}
