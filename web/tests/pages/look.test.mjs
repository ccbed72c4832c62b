// How the pages look and feel: small screens, dark mode, the keyboard, and when things go wrong.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ended, startApp, submit } from "../support/app.mjs";
import { barriers, launch, picture, withPage } from "../support/browser.mjs";

let app;
let browser;

before(async () => {
  app = await startApp({ simulate_unit_ms: "20", body_limit_bytes: "2048" });
  browser = await launch();
  const names = ["simulate", "report/monthly", "thumbnail", "a".repeat(300)];
  const tasks = await Promise.all(names.map((TaskName) => submit(app.url, { TaskName, TaskDescription: "An example" })));
  await submit(app.url, { TaskName: "simulate", DelaySeconds: 7200, Priority: "High" });
  await Promise.all(tasks.map(({ id }) => ended(app.url, id)));
});

after(async () => {
  await browser?.close();
  await app?.stop();
});

const PHONE = { width: 360, height: 740 };

/** Elements that stick out of the page, by their selectors. */
const sticking = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(node).clipPath === "none")
      .map((node) => node.outerHTML.slice(0, 100)));

for (const dark of [false, true]) {
  const scheme = dark ? "dark" : "light";

  test(`${scheme} page is readable on a wide screen`, () =>
    withPage(browser, { dark }, async (page) => {
      await page.goto(app.url);
      await page.locator("#list li").nth(4).waitFor();
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background, dark ? "rgb(16, 18, 21)" : "rgb(246, 246, 244)");
      assert.deepEqual(await barriers(page), []);
      await picture(page, `wide-${scheme}`, true);
    }));

  test(`${scheme} page fits a narrow screen`, () =>
    withPage(browser, { dark, ...PHONE }, async (page) => {
      await page.goto(app.url);
      await page.locator("#list li").nth(4).waitFor();
      assert.deepEqual(await sticking(page), []);
      await picture(page, `narrow-${scheme}`);
      await page.getByText("New task").click();
      await page.getByRole("button", { name: "Submit task" }).click();
      await page.locator("#submit-outcome a").waitFor();
      assert.deepEqual(await sticking(page), []);
      await picture(page, `narrow-form-${scheme}`);
      await page.locator("#submit-outcome a").click();
      await page.locator('#detail[data-state="Succeeded"]').waitFor();
      assert.deepEqual(await sticking(page), []);
      assert.equal((await page.locator("#detail").boundingBox()).width, PHONE.width);
      assert.deepEqual(await barriers(page), []);
      await picture(page, `narrow-detail-${scheme}`);
    }));
}

test("task is submitted and opened with the keyboard alone", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    await page.locator("#list li").first().waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the tasks");
    for (let i = 0; i < 20 && (await page.evaluate(() => document.activeElement.id)) !== "name"; i += 1) {
      await page.keyboard.press("Tab");
    }
    const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(ring, "solid", "the focus is visible");
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("by keyboard");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.getByLabel("High", { exact: true }).isChecked(), true);
    await page.keyboard.press("Enter");
    const link = page.locator("#submit-outcome a");
    await link.waitFor();
    const row = page.locator(`#list a[href="${await link.getAttribute("href")}"]`);
    await row.focus();
    await page.keyboard.press("Enter");
    const dialog = page.locator("#detail");
    await dialog.getByRole("heading", { name: "by keyboard" }).waitFor();
    for (let i = 0; i < 8; i += 1) {
      assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("#detail")), "the focus stays in the dialog");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert.equal(await row.evaluate((node) => document.activeElement === node), true, "the focus is back");
  }));

test("input that is not JSON is refused before sending", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(app.url);
    await page.getByLabel("Input").fill('{"open": ');
    await page.getByRole("button", { name: "Submit task" }).click();
    await page.getByText("This is not JSON").waitFor();
    await page.waitForFunction(() => document.activeElement.id === "input");
    await page.getByLabel("Input").fill("{}");
    await page.getByText("This is not JSON").waitFor({ state: "hidden" });
    await page.getByLabel("Start after").fill("604801");
    await page.getByRole("button", { name: "Submit task" }).click();
    await page.getByText("A whole number of seconds from 0 to 604800.").waitFor();
    await picture(page, "invalid-form");
  }));

test("refusal of the API is shown with its text", () =>
  withPage(browser, { expected: [/413/] }, async (page) => {
    await page.goto(app.url);
    await page.getByLabel("Input").fill(JSON.stringify("x".repeat(3000)));
    await page.getByRole("button", { name: "Submit task" }).click();
    await page.locator("#submit-outcome.error", { hasText: "must not exceed 2048 bytes" }).waitFor();
    assert.match(await page.locator("#submit-outcome").textContent(), /\(trace [0-9a-f]{32}\)$/);
    await picture(page, "refused");
  }));

test("missing task is shown as missing", () =>
  withPage(browser, { expected: [/404/] }, async (page) => {
    await page.goto(`${app.url}/#00000000-0000-4000-8000-000000000000`);
    await page.getByRole("heading", { name: "No such task" }).waitFor();
    await picture(page, "no-such-task");
  }));

test("lost network is shown, and the page recovers", () =>
  withPage(browser, { expected: [/ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|ERR_NETWORK/] }, async (page, context) => {
    await page.goto(app.url);
    await page.locator("#list li").first().waitFor();
    await context.setOffline(true);
    await page.getByText("You are offline. What is shown was true at").waitFor();
    assert.equal(await page.locator("#connection").textContent(), "Offline");
    await picture(page, "offline");
    await context.setOffline(false);
    await page.locator("#banner").waitFor({ state: "hidden" });
  }));

test("unreachable API is shown, and the page recovers", () =>
  withPage(browser, { expected: [/ERR_FAILED/] }, async (page) => {
    await page.goto(app.url);
    await page.locator("#list li").first().waitFor();
    await page.route("**/{tasks,metrics}*", (route) => route.abort());
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.getByText("The API cannot be reached; trying again.").waitFor();
    await page.getByText("The tasks could not be read.").waitFor();
    assert.ok((await page.locator("#list li").count()) > 0, "what is known stays on screen");
    await picture(page, "unreachable");
    await page.unroute("**/{tasks,metrics}*");
    await page.locator("#banner").waitFor({ state: "hidden" });
  }));

test("API reference shows every operation", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(`${app.url}/swagger`);
    await page.locator(".opblock").first().waitFor();
    const description = await (await fetch(`${app.url}/openapi.json`)).json();
    const operations = Object.values(description.paths).flatMap(Object.values).length;
    assert.equal(await page.locator(".opblock").count(), operations);
    await picture(page, "reference");
  }));

test("API reference without its assets shows what to do", () =>
  withPage(browser, { expected: [/404/] }, async (page) => {
    await page.route("**/vendor/*", (route) => route.fulfill({ status: 404 }));
    await page.goto(`${app.url}/swagger`);
    await page.getByText("node web/vendor.mjs").waitFor();
    await picture(page, "reference-missing");
  }));
