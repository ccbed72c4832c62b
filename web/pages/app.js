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
import * as store from "./js/store.js";

let reached = true;
let since = new Date();

function connection() {
  const offline = !navigator.onLine;
  const good = !offline && reached;
  if (good) since = new Date();
  const word = offline ? "Offline" : !reached ? "Not reachable" : live.streaming() ? "Live" : "Up to date";
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
    if (why) say($("key-why"), why);
    if (!dialog.open) dialog.showModal();
  };
  let asked = false;
  bus.addEventListener("unauthorized", (event) => {
    // Once for each key: a page that keeps asking cannot be read.
    const why = key.get() ? "The API does not know this key." : "The API wants to know who is calling.";
    if (!asked) open(`${why} It says: ${event.detail.message}`);
    asked = true;
  });
  $("key-open").addEventListener("click", () => open());
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
live.start();
connection();
setInterval(connection, 2_000);
