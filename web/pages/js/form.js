// The form that submits a task.

import { parse, send } from "./api.js";
import { $, el, show } from "./dom.js";
import * as store from "./store.js";

const MAX_DELAY_SECONDS = 604_800;
const TEXT = '"the text to work on"';
const EXAMPLES = { checksum: TEXT, "text-statistics": TEXT };

// The same key for a repeated click or a lost response, so that nothing is submitted twice.
let once = null;

function fresh() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function mark(field, sentence) {
  show($(`${field}-error`), sentence);
  $(field).setAttribute("aria-invalid", sentence ? "true" : "false");
  return !sentence;
}

function checkInput() {
  const text = $("input").value.trim();
  try {
    if (text) JSON.parse(text);
    return mark("input", "");
  } catch (error) {
    return mark("input", `This is not JSON: ${error.message}.`);
  }
}

function checkDelay() {
  const field = $("delay");
  const value = Number(field.value);
  const fits = !field.validity.badInput && Number.isInteger(value) && value >= 0 && value <= MAX_DELAY_SECONDS;
  return mark("delay", fits ? "" : `A whole number of seconds from 0 to ${MAX_DELAY_SECONDS}.`);
}

/** The request body. The input goes in as it was typed: numbers of any size survive. */
function body() {
  const members = {
    TaskName: $("name").value || undefined,
    TaskDescription: $("description").value || undefined,
    Priority: document.querySelector("[name=priority]:checked").value,
    DelaySeconds: Number($("delay").value) || undefined,
  };
  const input = $("input").value.trim();
  const text = JSON.stringify(members);
  return input ? `${text.slice(0, -1)},"Input":${input}}` : text;
}

async function submit(event) {
  event.preventDefault();
  const [input, delay] = [checkInput(), checkDelay()];
  if (!input || !delay) {
    $(input ? "delay" : "input").focus();
    return;
  }
  const button = event.target.querySelector("[type=submit]");
  const outcome = $("submit-outcome");
  button.disabled = true;
  outcome.className = "";
  outcome.replaceChildren("Sending …");
  once ||= fresh();
  try {
    const response = await send("POST", "/tasks", { body: body(), headers: { "idempotency-key": once } });
    const task = parse(await response.text());
    once = null;
    store.remember(task.id);
    store.put(task);
    outcome.replaceChildren(el("strong", {}, "202 Accepted "), el("a", { href: `#${task.id}` }, `Follow ${task.id.slice(0, 8)}`));
  } catch (problem) {
    // The server has judged it: changed or not, the next one is a new submission.
    if (problem.status >= 400 && problem.status < 500) once = null;
    outcome.className = "error";
    outcome.replaceChildren(problem.sentence || problem.message);
  } finally {
    button.disabled = false;
  }
}

export function start() {
  const form = $("submit-form");
  form.addEventListener("submit", submit);
  form.addEventListener("input", () => (once = null));
  // After a pause, not on leaving the field: a message that appears under the pointer would move the button away.
  let pause;
  $("input").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(checkInput, 600);
  });
  $("delay").addEventListener("input", checkDelay);
  $("name").addEventListener("input", () => {
    $("input").placeholder = EXAMPLES[$("name").value] || '{ "any": "JSON" }';
  });
  // On a small screen the tasks come first; the form is one tap away.
  $("submit").open = matchMedia("(min-width: 60rem)").matches;
}
