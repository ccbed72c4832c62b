// Wires the page: list, detail, form, charts, key and connection.

import { bus, key } from "./js/api.js";
import * as bulk from "./js/bulk.js";
import * as charts from "./js/charts.js";
import * as detail from "./js/detail.js";
import { $, isTerminal, say, show, stateWord } from "./js/dom.js";
import * as form from "./js/form.js";
import * as handlers from "./js/handlers.js";
import * as list from "./js/list.js";
import * as live from "./js/live.js";
import * as poison from "./js/poison.js";
import * as queue from "./js/queue.js";
import * as schedules from "./js/schedules.js";
import * as store from "./js/store.js";

let reached;
let refused = "";
let since = new Date();

function connection() {
  const offline = !navigator.onLine;
  if (!offline && reached === undefined) return;
  const good = !offline && reached && !refused;
  if (good) since = new Date();
  const word = offline ? "Offline" : !reached ? "Not reachable" : refused || (live.streaming() ? "Live" : "Up to date");
  $("connection").dataset.state = good ? "good" : "bad";
  say($("connection"), word);
  const at = since.toLocaleTimeString();
  show($("banner"), offline
    ? `You are offline. What is shown was true at ${at}.`
    : reached ? "" : `The API cannot be reached; trying again. What is shown was true at ${at}.`);
}

function keys() {
  const dialog = $("key");
  const open = (why) => {
    say($("key-why"), `${why} A key is sent with every request from this page, and kept until this tab is closed.`);
    $("key-forget").hidden = !key.get();
    // Escape closes the dialog with the value of an earlier button.
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
  };
  let asked = false;
  bus.addEventListener("unauthorized", (event) => {
    const { wantsKey } = event.detail;
    refused = !wantsKey ? "Not signed in" : key.get() ? "Unknown key" : "No key";
    connection();
    // Once for each key: a page that keeps asking cannot be read.
    if (wantsKey && !asked) open(key.get() ? "The API does not know this key. Enter another one." : "Enter the key for this API.");
    asked = true;
  });
  bus.addEventListener("authorized", () => {
    if (!refused) return;
    refused = "";
    connection();
  });
  $("key-open").addEventListener("click", () => open(key.get() ? "A key is in use." : "No key is in use."));
  dialog.addEventListener("close", () => {
    const value = $("key-value").value.trim();
    $("key-value").value = "";
    if (dialog.returnValue === "use" && value) key.set(value);
    else if (dialog.returnValue === "forget") key.set("");
    else return;
    location.reload();
  });
}

bus.addEventListener("contact", (event) => {
  reached = event.detail;
  connection();
});
addEventListener("online", connection);
addEventListener("offline", connection);
store.onChange((task, before) => {
  const ended = task && before && isTerminal(task) && !isTerminal(before);
  if (ended) say($("announce"), `${task.name}: ${stateWord(task)}`);
});

keys();
form.start();
detail.start();
list.start(detail.current);
bulk.start(list.filterQuery, list.restart);
charts.start();
handlers.start();
poison.start();
queue.start();
schedules.start();
live.start();
connection();
setInterval(connection, 2_000);
