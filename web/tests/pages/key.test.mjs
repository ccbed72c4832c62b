// The dashboard where callers are told apart by keys.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import { startApp, submit } from "../support/app.mjs";
import { barriers, launch, picture, withPage } from "../support/browser.mjs";

const KEYS = ["first-key-of-the-tests", "second-key-of-the-tests"];

let app;
let browser;

before(async () => {
  const hashes = KEYS.map((key) => createHash("sha256").update(key).digest("hex"));
  app = await startApp({ api_auth: "api-key", api_key_hashes: hashes.join(","), simulate_unit_ms: "20" });
  browser = await launch();
  await submit(app.url, { TaskName: "of the second", DelaySeconds: 3600 }, { "api-key": KEYS[1] });
});

after(async () => {
  await browser?.close();
  await app?.stop();
});

/** The state of the connection, as its colour and its word. */
const state = (page) => page.locator("#connection").evaluate((node) => `${node.dataset.state}: ${node.textContent}`);

test("page without a key says so, in words for readers of the page", () =>
  withPage(browser, { expected: [/401/] }, async (page) => {
    await page.goto(app.url);
    await page.locator("#key").waitFor();
    await page.keyboard.press("Escape");
    await page.getByText("The tasks could not be read. Enter the API key (top right).").waitFor();
    assert.equal(await state(page), "bad: No key");
    // Escape after an empty key: the key that was typed last is not used.
    const dialog = page.locator("#key");
    await page.getByRole("button", { name: "API key" }).click();
    await dialog.getByRole("button", { name: "Use key" }).click();
    await page.getByRole("button", { name: "API key" }).click();
    await dialog.getByLabel("Key").fill("not to be used");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => sessionStorage.getItem("accepted.key")), null);
    await page.getByRole("button", { name: "Submit task" }).click();
    await page.locator("#submit-outcome.error", { hasText: "Enter the API key (top right)." }).waitFor();
    // It stays while the page goes on asking.
    await page.waitForResponse((response) => response.url().endsWith("/metrics"));
    assert.equal(await state(page), "bad: No key");
    assert.deepEqual(await barriers(page), []);
    await picture(page, "no-key");
  }));

test("caller who is no operator is told who can see the poison queue", () =>
  withPage(browser, { expected: [/401/, /403/] }, async (page) => {
    await page.goto(app.url);
    await page.locator("#key").getByLabel("Key").fill(KEYS[0]);
    await page.keyboard.press("Enter");
    await page.getByText("No tasks yet").waitFor();
    await page.getByRole("heading", { name: "Poison queue" }).click();
    await page.locator("#poison-empty.error", { hasText: "Only operators can see and do this." }).waitFor();
    assert.equal(await state(page), "good: Up to date");
    await picture(page, "no-operator");
  }));

test("page asks for a key, uses it and forgets it", () =>
  withPage(browser, { expected: [/401/] }, async (page) => {
    await page.goto(app.url);
    const dialog = page.locator("#key");
    await dialog.waitFor();
    assert.match(await dialog.textContent(), /Enter the key for this API\./);
    assert.equal(await dialog.getByRole("button", { name: "Forget it" }).isVisible(), false, "there is none to forget");
    await picture(page, "key");
    // No header can carry it; the request would fail as if there were no API.
    await dialog.getByLabel("Key").fill("schlüssel");
    await dialog.getByRole("button", { name: "Use key" }).click();
    assert.equal(await dialog.getByLabel("Key").evaluate((input) => input.validity.patternMismatch), true);
    assert.equal(await dialog.isVisible(), true);
    await dialog.getByLabel("Key").fill("no such key");
    await dialog.getByRole("button", { name: "Use key" }).click();
    await dialog.getByText("The API does not know this key.").waitFor();
    assert.equal(await state(page), "bad: Unknown key");
    await dialog.getByLabel("Key").fill(KEYS[0]);
    await dialog.getByRole("button", { name: "Use key" }).click();
    await page.getByText("No tasks yet").waitFor();
    await page.getByRole("button", { name: "Submit task" }).click();
    await page.locator("#list").getByText("Succeeded").waitFor();
    assert.equal(await page.locator("#list li").count(), 1, "other callers' tasks are not shown");
    assert.equal(await state(page), "good: Up to date");
    assert.ok(!page.url().includes(KEYS[0]));
    await page.getByRole("button", { name: "API key" }).click();
    await dialog.getByRole("button", { name: "Forget it" }).click();
    await page.waitForLoadState();
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => Object.values(sessionStorage).join().includes("key-of-the-tests")), false);
  }));
