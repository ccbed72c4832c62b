// The pause of the queue: shown to every caller, changed by operators.

import { send } from "./api.js";
import { confirmed } from "./confirm.js";
import { $, ago, say, show } from "./dom.js";

const EVERY_MS = 5_000;

let canPause = true;

function draw(state) {
  canPause = state.canPause;
  $("pause").hidden = !state.canPause;
  const since = state.pausedDateTime ? ` ${ago(state.pausedDateTime)}` : "";
  say($("pause-state"), state.paused ? `Paused${since}. Running tasks end; no other starts.` : "Workers receive tasks.");
  $("pause").dataset.paused = state.paused;
  $("pause-now").hidden = state.paused;
  $("pause-end").hidden = !state.paused;
}

async function change(action) {
  show($("pause-error"), "");
  try {
    draw(await (await send("POST", `/queue:${action}`)).json());
    // The other button is in the same place.
    $(action === "pause" ? "pause-end" : "pause-now").querySelector("button").focus();
  } catch (problem) {
    show($("pause-error"), problem.sentence);
  }
}

async function load() {
  if (document.hidden || !canPause) return;
  try {
    draw(await (await send("GET", "/queue")).json());
  } catch {
    // The list says that the API cannot be reached.
  }
}

export function start() {
  $("pause-now").append(confirmed("Pause the queue", "Pause it for all workers", () => change("pause")));
  $("pause-end").append(confirmed("Resume the queue", "Resume it", () => change("resume")));
  load();
  setInterval(load, EVERY_MS);
}
