// Schedules in the dashboard: create, change, pause, run and delete, with the mouse and with the keyboard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ended, startApp } from "../support/app.mjs";
import { barriers, confirm, launch, picture, withPage } from "../support/browser.mjs";

const PHONE = { width: 360, height: 740 };

let app;
let browser;

before(async () => {
  app = await startApp({ schedules: "true", simulate_unit_ms: "1" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await app?.stop();
});

const address = (name, action = "") => `${app.url}/schedules/${name}${action}`;

async function store(name, schedule) {
  const body = JSON.stringify({ Task: { TaskName: "simulate" }, ...schedule });
  const response = await fetch(address(name), { method: "PUT", headers: { "content-type": "application/json" }, body });
  assert.ok(response.ok, await response.text());
}

const read = async (name) => (await fetch(address(name))).json();

const sticking = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(node).clipPath === "none")
      .map((node) => node.outerHTML.slice(0, 100)));

async function openCard(page) {
  await page.goto(app.url);
  await page.getByRole("heading", { name: "Schedules" }).click();
  await page.getByRole("button", { name: "New schedule" }).waitFor();
}

const row = (page, name) => page.locator("#schedules-list li", { has: page.getByText(name, { exact: true }) });

test("schedule is created, changed and deleted in the page", () =>
  withPage(browser, { expected: [/400/, /412/] }, async (page) => {
    await openCard(page);
    await page.getByRole("button", { name: "New schedule" }).click();
    const dialog = page.locator("#schedule");
    await dialog.getByLabel("Name", { exact: true }).fill("nightly");
    await dialog.getByLabel("Cron expression").fill("0 6 99 * *");
    await dialog.getByLabel("Time zone").fill("Europe/Berlin");
    await dialog.getByLabel("Task JSON").fill("{ no JSON");
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByText("This is not JSON").waitFor();
    assert.deepEqual(await barriers(page), []);
    await dialog.getByLabel("Task JSON").fill('{ "TaskName": "simulate", "Input": 12345678901234567890 }');
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByText("day of the month").waitFor();
    await picture(page, "schedule-refused");
    await dialog.getByLabel("Cron expression").fill("0 6 * * 1-5");
    await dialog.getByLabel("Last until").fill("2096-01-01T00:00");
    await dialog.getByRole("button", { name: "Create" }).click();
    await page.getByText("nightly is created.").waitFor();
    const entry = row(page, "nightly");
    await entry.getByText("simulate · 0 6 * * 1-5 · Europe/Berlin").waitFor();
    await entry.getByText(/^Next /).waitFor();
    assert.equal((await (await fetch(address("nightly"))).text()).includes("12345678901234567890"), true);

    await entry.getByRole("button", { name: "Edit" }).click();
    await dialog.getByRole("heading", { name: "Change nightly" }).waitFor();
    assert.equal(await dialog.getByLabel("Last until").inputValue(), "2096-01-01T00:00");
    assert.match(await dialog.getByLabel("Task JSON").inputValue(), /12345678901234567890/);
    await store("nightly", { Cron: "@hourly" });
    await dialog.getByText("At an interval").click();
    await dialog.getByLabel("Interval", { exact: true }).fill("PT15M");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText("The schedule is not of the version that If-Match names.").waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    assert.equal((await read("nightly")).cron, "@hourly", "the change of another person stays");
    await entry.getByRole("button", { name: "Edit" }).click();
    await dialog.getByText("At an interval").click();
    await dialog.getByLabel("Interval", { exact: true }).fill("PT15M");
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.getByText("nightly is changed.").waitFor();
    await entry.getByText("simulate · every PT15M").waitFor();

    await page.getByRole("button", { name: "New schedule" }).click();
    await dialog.getByLabel("Name", { exact: true }).fill("nightly");
    await dialog.getByLabel("Cron expression").fill("@daily");
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByText("There is a schedule called nightly already.").waitFor();
    await page.keyboard.press("Escape");
    await confirm(entry, "Delete", "Delete it for good");
    await page.getByText("nightly is deleted.").waitFor();
    await page.getByText("There is no schedule.").waitFor();
    assert.equal((await fetch(address("nightly"))).status, 404);
  }));

test("schedule is paused, resumed and run, and its task can be followed", () =>
  withPage(browser, {}, async (page) => {
    await store("hourly", { Interval: "PT1H" });
    await openCard(page);
    const entry = row(page, "hourly");
    await confirm(entry, "Pause", "Pause it");
    await entry.getByText("Paused").waitFor();
    assert.equal((await read("hourly")).status, "Paused");
    assert.deepEqual(await barriers(page), []);
    await confirm(entry, "Run now", "Run it once now");
    const said = page.getByText(/^hourly runs now as task [0-9a-f]{8}\.$/);
    await said.waitFor();
    const id = (await said.textContent()).match(/task ([0-9a-f]{8})/)[1];
    const link = page.locator(`#list a[href^="#${id}"]`);
    await link.waitFor();
    assert.equal((await ended(app.url, (await link.getAttribute("href")).slice(1))).status, "Succeeded");
    await confirm(entry, "Resume", "Resume it");
    await entry.getByText("Active").waitFor();
    assert.equal((await read("hourly")).status, "Active");
    await picture(page, "schedules", true);
    await fetch(address("hourly"), { method: "DELETE" });
  }));

test("firing creates a task that the schedule links to", () =>
  withPage(browser, {}, async (page) => {
    await store("soon", { Interval: "P1D", StartsAt: new Date(Date.now() + 3_000).toISOString() });
    await openCard(page);
    const link = row(page, "soon").getByRole("link");
    await link.waitFor({ timeout: 30_000 });
    const id = (await link.getAttribute("href")).slice(1);
    assert.equal((await ended(app.url, id)).status, "Succeeded");
    await fetch(address("soon"), { method: "DELETE" });
  }));

test("schedule is paused with the keyboard, and the focus stays", () =>
  withPage(browser, {}, async (page) => {
    await store("keys", { Interval: "PT1H" });
    await openCard(page);
    const entry = row(page, "keys");
    await entry.getByRole("button", { name: "Pause" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await entry.getByText("Paused").waitFor();
    await page.waitForFunction(() => document.activeElement.textContent === "Resume");
    await page.getByRole("button", { name: "New schedule" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement.id === "schedule-name");
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement.id), "schedule-open");
    await fetch(address("keys"), { method: "DELETE" });
  }));

for (const dark of [false, true]) {
  test(`schedules fit a narrow ${dark ? "dark" : "light"} screen`, () =>
    withPage(browser, { dark, ...PHONE }, async (page) => {
      await store("month-end-report-with-a-long-name-that-has-to-be-wrapped.2026", { Cron: "0 6 1 * *", TimeZone: "America/Argentina/ComodRivadavia" });
      await openCard(page);
      await page.locator("#schedules-list li").first().waitFor();
      assert.deepEqual(await sticking(page), []);
      assert.deepEqual(await barriers(page), []);
      await picture(page, `narrow-schedules-${dark ? "dark" : "light"}`, true);
      await page.locator("#schedules-list").getByRole("button", { name: "Edit" }).first().click();
      await page.locator("#schedule").waitFor();
      assert.deepEqual(await sticking(page), []);
      assert.deepEqual(await barriers(page), []);
      await picture(page, `narrow-schedule-form-${dark ? "dark" : "light"}`);
    }));
}

test("page says what to set when schedules are off", async () => {
  const off = await startApp({});
  try {
    await withPage(browser, { expected: [/409/] }, async (page) => {
      await page.goto(off.url);
      await page.getByRole("heading", { name: "Schedules" }).click();
      await page.getByText("Set the variable schedules to true").waitFor();
      assert.equal(await page.getByRole("button", { name: "New schedule" }).isVisible(), false);
    });
  } finally {
    await off.stop();
  }
});
