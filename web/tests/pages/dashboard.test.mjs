// What people do with the dashboard, on the real application.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ended, startApp, submit } from "../support/app.mjs";
import { launch, picture, withPage } from "../support/browser.mjs";
import { startHandler } from "../support/handler.mjs";

let app;
let browser;
let handler;

before(async () => {
  handler = await startHandler();
  // A short lease: a running task looks for a cancel request each time it renews.
  app = await startApp({ ...handler.variables, visibility_timeout_seconds: "4", simulate_unit_ms: "200" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await app?.stop();
  await handler?.stop();
});

const first = (page) => page.locator("#list li").first();

async function fillAndSubmit(page, name, input) {
  await page.getByLabel("Name", { exact: true }).first().fill(name);
  if (input) await page.getByLabel("Input").fill(input);
  await page.getByRole("button", { name: "Submit task" }).click();
  const link = page.locator("#submit-outcome a");
  await link.waitFor();
  return (await link.getAttribute("href")).slice(1);
}

test("submitted task is shown from accepted to succeeded without reload", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    await page.getByText("No tasks yet").waitFor();
    await picture(page, "empty");
    const id = await fillAndSubmit(page, "slow", '{"milliseconds": 4000}');
    assert.match(await page.locator("#submit-outcome").textContent(), /^202 Accepted/);
    const row = page.locator(`#list li:has(a[href="#${id}"])`);
    await row.getByText("Running").waitFor();
    assert.equal(await page.locator("#connection").textContent(), "Live");
    await picture(page, "running");
    await row.getByText("Succeeded").waitFor();
    assert.equal(await page.locator("#announce").textContent(), "slow: Succeeded");
    await row.click();
    await page.getByRole("heading", { name: "Result" }).waitFor();
    assert.deepEqual(JSON.parse(await page.locator("#detail pre").textContent()), { slept: true, input: { milliseconds: 4000 } });
    await page.getByText("Attempt 1: Completed").waitFor();
    await picture(page, "succeeded");
  }));

test("progress of running tasks is drawn, by stream and polling", () =>
  withPage(browser, {}, async (page) => {
    // More tasks than event streams; each takes 0.6 to 11.4 s, so that some surely tell of progress.
    const tasks = await Promise.all(
      Array.from({ length: 6 }, () => submit(app.url, { TaskName: "progress", Priority: "Low" })));
    await page.goto(app.url);
    await page.locator("#filters").getByLabel("Name").fill("progress");
    await page.waitForFunction(() =>
      [...document.querySelectorAll("#list progress:not([hidden])")].some((bar) => bar.value >= 20 && bar.value < 100));
    await picture(page, "progress");
    await page.waitForFunction((count) =>
      [...document.querySelectorAll("#list .state")].filter((node) => node.textContent === "Succeeded").length === count, tasks.length);
  }));

test("numbers in the input are sent as typed", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const id = await fillAndSubmit(page, "simulate", '{"n": 12345678901234567890}');
    const task = await ended(app.url, id);
    assert.equal(task.status, "Succeeded");
    const again = await fetch(`${app.url}/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"TaskId":"${id}","TaskName":"simulate","Priority":"Medium","Input":{"n":12345678901234567890}}`,
    });
    assert.equal(again.status, 202, "the same content is a repetition");
  }));

test("running task is cancelled and shown as cancelled", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const id = await fillAndSubmit(page, "slow", '{"milliseconds": 30000}');
    await page.goto(`${app.url}/#${id}`);
    const dialog = page.locator("#detail");
    await dialog.getByText("Running", { exact: true }).waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.getByText("Cancel requested").waitFor();
    await picture(page, "canceling");
    await page.locator('#detail[data-state="Canceled"]').waitFor();
    await dialog.getByText("Attempt 1: Canceled").waitFor();
    assert.equal((await ended(app.url, id)).status, "Canceled");
  }));

test("scheduled task is cancelled before it starts", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    await page.getByLabel("Start after").fill("3600");
    const id = await fillAndSubmit(page, "simulate");
    await page.locator("#submit-outcome a").click();
    const dialog = page.locator("#detail");
    await dialog.getByText("Scheduled", { exact: true }).waitFor();
    await dialog.getByText("Starts in 59 min").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.getByText("Canceled before it started.").waitFor();
    assert.equal((await ended(app.url, id)).status, "Canceled");
  }));

test("failed task shows its reason, is retried and deleted", () =>
  withPage(browser, { expected: [/404/] }, async (page) => {
    const { id } = await submit(app.url, { TaskName: "fail" });
    await ended(app.url, id);
    await page.goto(`${app.url}/#${id}`);
    const dialog = page.locator("#detail");
    await page.locator('#detail[data-state="Failed"] > .error').waitFor();
    await picture(page, "failed");
    await dialog.getByRole("button", { name: "Retry" }).click();
    await dialog.getByText("Accepted again").waitFor();
    await dialog.getByText("Retry asked for").waitFor();
    await dialog.locator("li", { hasText: "Failed" }).nth(1).waitFor();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Delete it for good" }).click();
    await dialog.waitFor({ state: "hidden" });
    assert.equal((await fetch(`${app.url}/tasks/${id}`)).status, 404);
  }));

test("result that is not JSON has its own link", () =>
  withPage(browser, {}, async (page) => {
    const { id } = await submit(app.url, { TaskName: "large" });
    await ended(app.url, id);
    await page.goto(`${app.url}/#${id}`);
    const link = page.getByRole("link", { name: "Open the result on its own" });
    const response = await fetch(new URL(await link.getAttribute("href"), app.url));
    assert.equal((await response.text()).length, 22 * 20_000);
  }));

test("reload restores filter, open task and submitted tasks", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const id = await fillAndSubmit(page, "simulate");
    await ended(app.url, id);
    await page.getByLabel("Status").selectOption("Succeeded");
    await page.locator(`#list a[href="#${id}"]`).click();
    await page.locator("#detail[open]").waitFor();
    await page.reload();
    await page.locator("#detail").getByText(id).waitFor();
    assert.equal(await page.getByLabel("Status").inputValue(), "Succeeded");
    await page.keyboard.press("Escape");
    await page.locator(`#list a[href="#${id}"]`).waitFor();
    const states = await page.locator("#list .state").allTextContents();
    assert.ok(states.length > 0 && states.every((state) => state === "Succeeded"), states.join());
  }));

test("list has the filtered tasks of all loaded pages", () =>
  withPage(browser, {}, async (page) => {
    const name = "paged/\u00e4 & <b>";
    await Promise.all(Array.from({ length: 30 }, () => submit(app.url, { TaskName: name, DelaySeconds: 3600 })));
    await page.goto(app.url);
    await page.locator("#filters").getByLabel("Name").fill(name);
    const shown = (count) =>
      page.waitForFunction(([text, number]) => {
        const names = [...document.querySelectorAll("#list .name")].map((node) => node.textContent);
        return names.length === number && names.every((shownName) => shownName === text);
      }, [name, count]);
    await shown(25);
    await page.getByRole("button", { name: "Load more" }).click();
    await shown(30);
    await page.getByRole("button", { name: "Load more" }).waitFor({ state: "hidden" });
    await page.locator("#filters").getByLabel("Name").fill("no such name");
    await page.getByText("No task fits this filter.").waitFor();
    await picture(page, "no-match");
    assert.equal(await first(page).count(), 0);
  }));

test("queue depth and throughput are drawn", () =>
  withPage(browser, {}, async (page) => {
    const waiting = Array.from({ length: 3 }, () => submit(app.url, { TaskName: "simulate", DelaySeconds: 3600 }));
    // The list is sorted by id and the page draws what it has loaded: the first ones.
    const { id } = await submit(app.url, { TaskName: "fail", TaskId: "00000000-0000-4000-8000-000000000001" });
    await Promise.all([ended(app.url, id), ...waiting]);
    await page.goto(app.url);
    await page.waitForFunction(() =>
      / \d+ succeeded, [1-9]\d* failed or canceled/.test(document.querySelector("#rate").getAttribute("aria-label")));
    // Not an element that was found earlier: the page draws the gauges anew each time.
    await page.locator("#gauges div", { hasText: "Scheduled" }).locator("dd", { hasText: /^([3-9]|\d\d+)$/ }).waitFor();
    await page.waitForFunction(() => / L/.test(document.querySelector("#depth .line")?.getAttribute("d")));
    await picture(page, "charts", true);
  }));
