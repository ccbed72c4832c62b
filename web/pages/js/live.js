// Keeps tasks current: event streams for the few that matter most, polling for the others.

import { at, bus, key, parse, send, taskPath } from "./api.js";
import { isTerminal } from "./dom.js";
import * as store from "./store.js";

// A browser opens six connections to one HTTP/1.1 server: two stay free for requests.
const STREAMS = 4;
const POLLED_AT_ONCE = 8;
const POLL_MS = 2_000;
const STREAM_PAUSE_MS = 30_000;

const streams = new Map();
const refused = new Map();
let wanted = [];
let polling = false;
let turn = 0;

/** Says which tasks are on screen, the most important first. */
export function watch(ids) {
  wanted = [...new Set(ids)];
  align();
}

export const streaming = () => streams.size;

function unfinished() {
  return wanted.filter((id) => {
    const task = store.get(id);
    return !task || !isTerminal(task);
  });
}

function align() {
  const now = Date.now();
  // An event stream cannot carry a key; with one, everything is polled.
  const open = document.hidden || key.get() || !navigator.onLine
    ? []
    : unfinished().filter((id) => store.get(id) && !(refused.get(id) > now)).slice(0, STREAMS);
  for (const [id, source] of streams) {
    if (!open.includes(id)) {
      source.close();
      streams.delete(id);
    }
  }
  for (const id of open) {
    if (!streams.has(id)) streams.set(id, follow(id));
  }
}

function follow(id) {
  const source = new EventSource(at(`${taskPath(id)}/events`));
  const take = (event) => {
    bus.dispatchEvent(new CustomEvent("contact", { detail: true }));
    try {
      store.put(parse(event.data));
    } catch {
      return;
    }
    if (isTerminal(store.get(id) || {})) align();
  };
  source.addEventListener("status", take);
  source.addEventListener("gone", () => {
    store.drop(id);
    align();
  });
  source.addEventListener("error", () => {
    // The browser reconnects by itself after a stream's normal end; CLOSED means it was refused.
    if (source.readyState !== EventSource.CLOSED) return;
    refused.set(id, Date.now() + STREAM_PAUSE_MS);
    align();
  });
  return source;
}

/** Reads one task again. A task that is gone is dropped. */
export async function refresh(id) {
  const tag = store.etag(id);
  try {
    const response = await send("GET", taskPath(id), { headers: tag ? { "if-none-match": tag } : {} });
    if (response.status !== 304) store.put(parse(await response.text()), response.headers.get("etag"));
  } catch (problem) {
    if (problem.status === 404 || problem.status === 410) store.drop(id);
    throw problem;
  }
}

async function poll() {
  if (polling || document.hidden) return;
  polling = true;
  const waiting = unfinished().filter((id) => !streams.has(id));
  const batch = [];
  for (let i = 0; i < Math.min(POLLED_AT_ONCE, waiting.length); i += 1) batch.push(waiting[turn++ % waiting.length]);
  await Promise.allSettled(batch.map(refresh));
  polling = false;
  align();
}

export function start() {
  setInterval(poll, POLL_MS);
  document.addEventListener("visibilitychange", () => {
    align();
    poll();
  });
  addEventListener("online", () => {
    refused.clear();
    align();
    poll();
  });
  addEventListener("offline", align);
}
