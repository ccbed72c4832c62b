// The tasks this page knows, and who wants to hear when one changes.

import { isTerminal } from "./dom.js";

const LIMIT = 1_000;
const MINE = "accepted.submitted";
const MINE_LIMIT = 50;

const tasks = new Map();
const etags = new Map();
const listeners = new Set();

export const all = () => [...tasks.values()];
export const get = (id) => tasks.get(id);
export const etag = (id) => etags.get(id);
export const onChange = (listener) => listeners.add(listener);

function changed(task, before) {
  for (const listener of listeners) listener(task, before);
}

/** Takes a newer view of a task; an older one, overtaken by a stream, is dropped. */
export function put(task, tag) {
  const before = tasks.get(task.id);
  if (before && Date.parse(before.lastActionDateTime) > Date.parse(task.lastActionDateTime)) return;
  if (tag) etags.set(task.id, tag);
  else if (before?.lastActionDateTime !== task.lastActionDateTime) etags.delete(task.id);
  tasks.set(task.id, task);
  if (tasks.size > LIMIT) drop(oldest());
  changed(task, before);
}

function oldest() {
  const done = all().filter(isTerminal);
  return (done.length ? done : all()).reduce((a, b) => (a.createdDateTime < b.createdDateTime ? a : b)).id;
}

export function drop(id) {
  const before = tasks.get(id);
  tasks.delete(id);
  etags.delete(id);
  forget(id);
  if (before) changed(undefined, before);
}

/** Forgets what lists brought, for a new filter. */
export function clear() {
  tasks.clear();
  etags.clear();
}

/** Ids submitted from this tab: found again after a reload, wherever the list would put them. */
export function mine() {
  try {
    return JSON.parse(sessionStorage.getItem(MINE)) || [];
  } catch {
    return [];
  }
}

export function remember(id) {
  sessionStorage.setItem(MINE, JSON.stringify([id, ...mine().filter((other) => other !== id)].slice(0, MINE_LIMIT)));
}

function forget(id) {
  sessionStorage.setItem(MINE, JSON.stringify(mine().filter((other) => other !== id)));
}
