// The dashboard where callers are told apart by keys.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import { startApp, submit } from "../support/app.mjs";
import { launch, picture, withPage } from "../support/browser.mjs";

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

test("page asks for a key, uses it and forgets it", () =>
  withPage(browser, { expected: [/401/] }, async (page) => {
    await page.goto(app.url);
    const dialog = page.locator("#key");
    await dialog.waitFor();
    await picture(page, "key");
    await dialog.getByLabel("Key").fill("no such key");
    await dialog.getByRole("button", { name: "Use key" }).click();
    await page.waitForLoadState();
    await dialog.waitFor();
    await dialog.getByLabel("Key").fill(KEYS[0]);
    await dialog.getByRole("button", { name: "Use key" }).click();
    await page.getByText("No tasks yet").waitFor();
    await page.getByRole("button", { name: "Submit task" }).click();
    await page.locator("#list").getByText("Succeeded").waitFor();
    assert.equal(await page.locator("#list li").count(), 1, "other callers' tasks are not shown");
    assert.ok(!page.url().includes(KEYS[0]));
    await page.getByRole("button", { name: "API key" }).click();
    await dialog.getByRole("button", { name: "Forget it" }).click();
    await page.waitForLoadState();
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => Object.values(sessionStorage).join().includes("key-of-the-tests")), false);
  }));
