// Actions that must be confirmed: the first click asks, the second one acts. A double click is one click.

import { el, say } from "./dom.js";

const FORGET_MS = 6_000;

/**
 * A button called `word`. The first click shows `sure` in its place; a second one within some seconds runs `act`.
 * Nothing can be clicked while `act` runs.
 */
export function confirmed(word, sure, act) {
  let timer;
  const reset = () => {
    clearTimeout(timer);
    timer = undefined;
    say(button, word);
    button.classList.remove("sure");
  };
  const button = el("button", {
    type: "button",
    onclick: async (event) => {
      if (event.detail > 1) return;
      if (!timer) {
        say(button, typeof sure === "function" ? sure() : sure);
        button.classList.add("sure");
        timer = setTimeout(reset, FORGET_MS);
        return;
      }
      reset();
      button.disabled = true;
      try {
        await act();
      } finally {
        button.disabled = false;
      }
    },
  }, word);
  return button;
}
