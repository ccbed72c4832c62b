// The dialog that creates or changes a schedule.

import { send } from "./api.js";
import { $, el, say, show } from "./dom.js";

const EXAMPLE = '{\n  "TaskName": "simulate"\n}';

let saved;
// The schedule being changed and its version; undefined for a new one.
let before;
let version;

const field = (name) => $(`schedule-${name}`);
const kind = () => document.querySelector("[name=schedule-kind]:checked").value;

/** A moment as the value of a `datetime-local` field. */
export function local(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "";
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, at.getTime() % 60_000 ? 19 : 16);
}

/** The moment in a field. One that was not changed is sent as it was, to the millisecond. */
function moment(name, earlier) {
  const { value } = field(name);
  if (!value) return undefined;
  return earlier && value === local(earlier) ? earlier : new Date(value).toISOString();
}

function mark(name, sentence) {
  show(field(`${name}-error`), sentence);
  field(name).setAttribute("aria-invalid", sentence ? "true" : "false");
  if (sentence) field(name).focus();
  return !sentence;
}

function checkTask() {
  try {
    JSON.parse(field("task").value);
    return mark("task", "");
  } catch (error) {
    return mark("task", `This is not JSON: ${error.message}.`);
  }
}

/** The request body. The task goes in as it was typed: numbers of any size survive. */
function body() {
  const isCron = kind() === "cron";
  const members = {
    Cron: isCron ? field("cron").value.trim() : undefined,
    TimeZone: (isCron && field("zone").value.trim()) || undefined,
    Interval: isCron ? undefined : field("interval").value.trim(),
    StartsAt: moment("starts", before?.startsAt),
    EndsAt: moment("ends", before?.endsAt),
    Missed: field("missed").value,
    Overlap: field("overlap").value,
  };
  return `${JSON.stringify(members).slice(0, -1)},"Task":${field("task").value}}`;
}

function switchKind() {
  const isCron = kind() === "cron";
  field("cron-fields").hidden = !isCron;
  field("interval-fields").hidden = isCron;
}

/** Opens the dialog for a new schedule, or for this version of one. */
export function open(schedule, etag) {
  before = schedule;
  version = etag;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  say(field("title"), schedule ? `Change ${schedule.name}` : "New schedule");
  say(field("save"), schedule ? "Save" : "Create");
  field("name-part").hidden = Boolean(schedule);
  const values = {
    name: schedule?.name ?? "",
    cron: schedule?.cron ?? "",
    zone: schedule ? schedule.timeZone ?? "" : zone,
    interval: schedule?.interval ?? "",
    starts: local(schedule?.startsAt),
    ends: local(schedule?.endsAt),
    missed: schedule?.missed ?? "Once",
    overlap: schedule?.overlap ?? "Skip",
    task: schedule ? JSON.stringify(schedule.task, null, 2) : EXAMPLE,
  };
  for (const [name, value] of Object.entries(values)) field(name).value = value;
  const chosen = schedule?.interval ? "interval" : "cron";
  document.querySelector(`[name=schedule-kind][value=${chosen}]`).checked = true;
  switchKind();
  mark("task", "");
  show(field("error"), "");
  $("schedule").showModal();
}

async function save(event) {
  event.preventDefault();
  if (!checkTask()) return;
  const button = field("save");
  const name = before?.name ?? field("name").value.trim();
  // What another person has changed since is not overwritten.
  const headers = before ? { "if-match": version } : { "if-none-match": "*" };
  button.disabled = true;
  show(field("error"), "");
  try {
    await send("PUT", `/schedules/${encodeURIComponent(name)}`, { body: body(), headers });
    $("schedule").close();
    await saved(`${name} is ${before ? "changed" : "created"}.`);
  } catch (problem) {
    const isTaken = problem.status === 412 && !before;
    show(field("error"), isTaken ? `There is a schedule called ${name} already.` : problem.sentence || problem.message);
  } finally {
    button.disabled = false;
  }
}

/** `done` is called with a sentence when a schedule was stored. */
export function start(done) {
  saved = done;
  const zones = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];
  field("zones").append(...["UTC", ...zones].map((value) => el("option", { value })));
  field("form").addEventListener("submit", save);
  field("close").addEventListener("click", () => $("schedule").close());
  for (const radio of document.querySelectorAll("[name=schedule-kind]")) radio.addEventListener("change", switchKind);
}
