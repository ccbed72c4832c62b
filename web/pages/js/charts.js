// Queue depth and throughput: what storage says at /metrics, and what the loaded tasks show.

import { send } from "./api.js";
import { $, el, isTerminal, say } from "./dom.js";
import * as store from "./store.js";

const EVERY_MS = 5_000;
const SAMPLES = 60;
const MINUTES = 15;
const [WIDTH, HEIGHT] = [300, 64];
const SVG = "http://www.w3.org/2000/svg";

const depths = [];

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** Prometheus text: name with labels to value. */
export function parse(text) {
  const values = new Map();
  for (const line of text.split("\n")) {
    const found = /^([a-zA-Z_:][^\s{]*(?:\{.*\})?)\s+(\S+)/.exec(line);
    if (found) values.set(found[1], Number(found[2]));
  }
  return values;
}

/** Messages by queue, and seconds since the oldest ready one was sent, over the queues of all priorities; undefined when a number is missing. */
export function queues(values) {
  const count = (queue) => values.get(`accepted_queue_messages{queue="${queue}"}`);
  const age = (queue) => values.get(`accepted_queue_oldest_message_age_seconds{queue="${queue}"}`);
  // Without priority_queues there is one queue of tasks.
  const several = ["high", "low"].some((queue) => count(queue) !== undefined || age(queue) !== undefined);
  const ofTasks = several ? ["high", "tasks", "low"] : ["tasks"];
  const all = (numbers, fold) => (numbers.includes(undefined) ? undefined : numbers.reduce(fold));
  return {
    tasks: all(ofTasks.map(count), (sum, number) => sum + number),
    oldest: all(ofTasks.map(age), (a, b) => Math.max(a, b)),
    scheduled: count("scheduled"),
    poison: count("poison"),
  };
}

/** An age in its largest unit, which fits the width of a gauge. */
export function brief(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

function gauges(values) {
  const { tasks, oldest, scheduled, poison } = queues(values);
  const shown = [
    ["In queue", tasks, "Messages of tasks, those of running tasks and of tasks that wait for their next attempt included"],
    ["Scheduled", scheduled, "Messages of tasks that start later, and of schedules"],
    ["Poison", poison, "Messages that were given up"],
    ["Oldest ready", oldest === undefined ? undefined : brief(oldest), "Time since the oldest message that a worker can receive now was sent"],
  ];
  $("gauges").replaceChildren(...shown.map(([name, value, title]) =>
    el("div", { class: name === "Poison" && value > 0 ? "alarm" : "", title }, el("dt", {}, name), el("dd", {}, String(value ?? "–")))));
  return tasks;
}

function drawDepth() {
  const top = Math.max(4, ...depths);
  const x = (index) => WIDTH - ((depths.length - 1 - index) * WIDTH) / (SAMPLES - 1);
  const y = (value) => HEIGHT - 2 - (value / top) * (HEIGHT - 6);
  const line = depths.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" L");
  $("depth").replaceChildren(
    shape("path", { class: "area", d: `M${x(0).toFixed(1)},${HEIGHT} L${line} L${WIDTH},${HEIGHT} Z` }),
    shape("path", { class: "line", d: `M${line}` }),
  );
  const now = depths.at(-1);
  $("depth").setAttribute("aria-label", `Queue depth: now ${now}, highest ${Math.max(...depths)} in the last minutes`);
  say($("depth-note"), `${now} now, ${Math.max(...depths)} at most`);
}

function drawRate() {
  const bins = Array.from({ length: MINUTES }, () => ({ good: 0, bad: 0 }));
  const now = Date.now();
  for (const task of store.all().filter(isTerminal)) {
    const minute = Math.floor((now - Date.parse(task.finishedDateTime)) / 60_000);
    const bin = bins[MINUTES - 1 - Math.max(0, minute)];
    if (bin) bin[task.status === "Succeeded" ? "good" : "bad"] += 1;
  }
  const top = Math.max(4, ...bins.map((bin) => bin.good + bin.bad));
  const step = WIDTH / MINUTES;
  const bars = bins.flatMap((bin, index) => {
    const height = (count) => (count / top) * (HEIGHT - 4);
    const [good, bad] = [height(bin.good), height(bin.bad)];
    const place = { x: index * step + 1.5, width: step - 3 };
    return [
      shape("rect", { ...place, class: "base", y: HEIGHT - 1, height: 1 }),
      shape("rect", { ...place, class: "good", y: HEIGHT - good, height: good }),
      shape("rect", { ...place, class: "bad", y: HEIGHT - good - bad, height: bad }),
    ];
  });
  $("rate").replaceChildren(...bars);
  const total = (kind) => bins.reduce((sum, bin) => sum + bin[kind], 0);
  const words = `${total("good")} succeeded, ${total("bad")} failed or canceled`;
  $("rate").setAttribute("aria-label", `Finished per minute in the last ${MINUTES}, of the tasks loaded here: ${words}`);
  say($("rate-note"), words);
}

async function sample() {
  if (document.hidden) return;
  drawRate();
  try {
    const depth = gauges(parse(await (await send("GET", "/metrics")).text()));
    if (depth === undefined) return;
    depths.push(depth);
    if (depths.length > SAMPLES) depths.shift();
    drawDepth();
  } catch {
    say($("depth-note"), "no data");
  }
}

export function start() {
  gauges(new Map());
  drawRate();
  sample();
  setInterval(sample, EVERY_MS);
  document.addEventListener("visibilitychange", sample);
  let planned;
  store.onChange(() => {
    planned ||= setTimeout(() => ((planned = 0), drawRate()), 500);
  });
}
