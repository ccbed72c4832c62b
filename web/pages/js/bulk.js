// Actions on all tasks that fit the filters of the list, page by page.

import { send } from "./api.js";
import { confirmed } from "./confirm.js";
import { $, say } from "./dom.js";

const MAX_PAGES = 100;

const ACTIONS = [
  ["Cancel", "cancel", "canceled"],
  ["Retry failed", "retry", "retried"],
  ["Delete ended", "delete", "deleted"],
];

function tell(text, failed) {
  $("bulk-said").classList.toggle("error", Boolean(failed));
  say($("bulk-said"), text);
}

async function run(action, done, query, reload) {
  const sum = { changed: 0, skipped: 0, failed: 0 };
  let address = `/tasks:${action}?${query}`;
  try {
    for (let page = 0; address && page < MAX_PAGES; page += 1) {
      const report = await (await send("POST", address)).json();
      for (const name of Object.keys(sum)) sum[name] += report[name] || 0;
      tell(`${sum.changed} ${done} …`);
      address = report.nextLink ? `/tasks:${action}${new URL(report.nextLink).search}` : null;
    }
    const failed = sum.failed ? ` ${sum.failed} could not be changed.` : "";
    tell(`${sum.changed} ${done}.${failed}${address ? " More are left." : ""}`);
  } catch (problem) {
    tell(`${sum.changed} ${done}, then: ${problem.sentence}`, true);
  }
  await reload();
}

/** Adds the buttons. `query` gives the filters as parameters, `reload` reads the list again. */
export function start(query, reload) {
  const scope = () => (query().size ? "all that fit the filter" : "all your tasks");
  $("bulk-actions").append(...ACTIONS.map(([word, action, done]) =>
    confirmed(word, () => `${word}: ${scope()}?`, () => {
      const parameters = query();
      parameters.set("top", 200);
      return run(action, done, parameters, reload);
    })));
}
