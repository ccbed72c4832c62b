// What operators do with the dashboard: poison queue, pause, actions on many tasks; timeline and handlers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ended, startApp, submit } from "../support/app.mjs";
import { barriers, confirm, launch, picture, withPage } from "../support/browser.mjs";
import { startHandler } from "../support/handler.mjs";

const PHONE = { width: 360, height: 740 };

let app;
let browser;
let handler;

before(async () => {
  handler = await startHandler();
  app = await startApp({
    ...handler.variables, max_dequeue_count: "1", queue_pause: "true", simulate_unit_ms: "20", retry_base_seconds: "1",
    priority_queues: "true",
  });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await app?.stop();
  await handler?.stop();
});

const poisoned = async () => (await (await fetch(`${app.url}/poison`)).json()).count;

async function giveUp(count) {
  const tasks = await Promise.all(Array.from({ length: count }, () => submit(app.url, { TaskName: "busy" })));
  for (const { id } of tasks) assert.equal((await ended(app.url, id)).error.code, "TooManyDeliveries");
  for (let tries = 0; tries < 50 && (await poisoned()) < count; tries += 1) await new Promise((done) => setTimeout(done, 200));
  return tasks.map(({ id }) => id);
}

test("poison messages are shown, replayed and removed", () =>
  withPage(browser, {}, async (page) => {
    const ids = await giveUp(3);
    await page.goto(app.url);
    await page.getByRole("heading", { name: "Poison queue" }).click();
    const rows = page.locator("#poison-list li");
    await rows.nth(2).waitFor();
    await rows.first().getByRole("button", { name: "Show message" }).click();
    await rows.first().locator("pre").waitFor();
    const original = await rows.first().locator("pre").textContent();
    assert.ok(ids.some((id) => original.includes(id)), original);
    assert.deepEqual(await barriers(page), []);
    await picture(page, "poison", true);
    await rows.first().getByRole("button", { name: "Hide message" }).click();
    await confirm(rows.first(), "Remove", "Remove it for good");
    await page.getByText("The message is removed.").waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#poison-list li").length === 2);
    handler.recover();
    const link = await rows.first().getByRole("link").getAttribute("href");
    await confirm(rows.first(), "Replay", "Replay it");
    await page.getByText("The task is queued again.").waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#poison-list li").length === 1);
    assert.equal((await ended(app.url, link.slice(1))).status, "Succeeded");
    await confirm(page.locator("#poison-all"), "Replay all", "Replay every message");
    await page.getByText("1 replayed.").waitFor();
    await page.getByText("No message was given up.").waitFor();
    assert.equal(await poisoned(), 0);
  }));

test("queue is paused and resumed", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const pause = page.locator("#pause");
    await pause.getByText("Workers receive tasks.").waitFor();
    await confirm(pause, "Pause the queue", "Pause it for all workers");
    await pause.getByText("Paused").waitFor();
    assert.equal((await (await fetch(`${app.url}/queue`)).json()).paused, true);
    await new Promise((done) => setTimeout(done, 6_000));
    const waiting = await Promise.all(
      ["High", "Medium", "Low"].map((Priority) => submit(app.url, { TaskName: "simulate", Priority })));
    await new Promise((done) => setTimeout(done, 3_000));
    const [{ id }] = waiting;
    assert.equal((await (await fetch(`${app.url}/tasks/${id}`)).json()).status, "NotStarted");
    const gauge = (name) => page.locator("#gauges div", { hasText: name }).locator("dd");
    await gauge("In queue").getByText("3", { exact: true }).waitFor();
    await page.locator("#gauges div", { hasText: "Oldest ready" }).locator("dd", { hasText: /^[1-9]/ }).waitFor();
    assert.match(await page.locator("#depth-note").textContent(), /^3 now/);
    assert.deepEqual(await barriers(page), []);
    await picture(page, "paused", true);
    await confirm(pause, "Resume the queue", "Resume it");
    await pause.getByText("Workers receive tasks.").waitFor();
    for (const { id: one } of waiting) assert.equal((await ended(app.url, one)).status, "Succeeded");
  }));

test("all tasks that fit the filter are canceled and deleted", () =>
  withPage(browser, {}, async (page) => {
    const name = "many at once";
    await Promise.all(Array.from({ length: 30 }, () => submit(app.url, { TaskName: name, DelaySeconds: 3600 })));
    const { id: other } = await submit(app.url, { TaskName: "another", DelaySeconds: 3600 });
    await page.goto(app.url);
    await page.locator("#filters").getByLabel("Name").fill(name);
    await page.locator("#list li").nth(24).waitFor();
    await page.getByText("Act on all matching tasks").click();
    const bulk = page.locator("#bulk");
    await confirm(bulk, "Cancel", "Cancel: all that fit the filter?");
    await bulk.getByText("30 canceled.").waitFor();
    await confirm(bulk, "Delete ended", "Delete ended: all that fit the filter?");
    await bulk.getByText("30 deleted.").waitFor();
    await page.getByText("No task fits this filter.").waitFor();
    assert.equal((await (await fetch(`${app.url}/tasks/${other}`)).json()).status, "NotStarted");
    await picture(page, "bulk");
  }));

test("timeline and handlers are drawn", () =>
  withPage(browser, {}, async (page) => {
    const { id } = await submit(app.url, { TaskName: "simulate", TaskId: "00000000-0000-4000-8000-000000000002" });
    await ended(app.url, id);
    await page.goto(app.url);
    await page.getByRole("heading", { name: "Handlers" }).click();
    const row = page.locator("#handlers-rows tr", { hasText: "simulate" });
    await row.waitFor();
    await picture(page, "handlers", true);
    await page.goto(`${app.url}/#${id}`);
    const timeline = page.locator("#detail .timeline");
    await timeline.waitFor();
    assert.match(await timeline.getAttribute("aria-label"), /^Timeline: Queued .*, Attempt 1 /);
    assert.deepEqual(await barriers(page), []);
    await picture(page, "timeline");
  }));

for (const dark of [false, true]) {
  test(`operators' parts fit a narrow ${dark ? "dark" : "light"} screen`, () =>
    withPage(browser, { dark, ...PHONE }, async (page) => {
      await page.goto(app.url);
      await page.locator("#list li").first().waitFor();
      for (const name of ["Handlers", "Poison queue"]) await page.getByRole("heading", { name }).click();
      await page.getByText("Act on all matching tasks").click();
      await page.getByText("No message was given up.").waitFor();
      const sticking = await page.evaluate(() =>
        [...document.querySelectorAll("body *")]
          .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(node).clipPath === "none")
          .map((node) => node.outerHTML.slice(0, 100)));
      assert.deepEqual(sticking, []);
      assert.deepEqual(await barriers(page), []);
      await picture(page, `narrow-operators-${dark ? "dark" : "light"}`, true);
    }));
}

test("action is confirmed with the keyboard, and forgotten without it", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    const pause = page.locator("#pause");
    const button = pause.getByRole("button");
    await button.waitFor();
    await button.dblclick();
    await pause.getByRole("button", { name: "Pause it for all workers" }).waitFor();
    await pause.getByRole("button", { name: "Pause the queue" }).waitFor({ timeout: 10_000 });
    await button.focus();
    await page.keyboard.press("Enter");
    await pause.getByRole("button", { name: "Pause it for all workers" }).waitFor();
    await pause.getByRole("button", { name: "Pause the queue" }).waitFor({ timeout: 10_000 });
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await pause.getByText("Paused").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Resume the queue");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await pause.getByText("Workers receive tasks.").waitFor();
  }));
