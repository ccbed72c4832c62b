// Headless Chromium and pages in it. Every page must end without an error in its console.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import axe from "axe-core";
import { chromium } from "playwright-core";

const OUTPUT = fileURLToPath(new URL("../../../test-output/", import.meta.url));

export function launch() {
  return chromium.launch({
    executablePath: process.env.ACCEPTED_CHROMIUM || "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

/**
 * Runs `steps` with a page of its own. `expected` lists what the console may say: a browser reports every
 * refused request there.
 */
export async function withPage(browser, { width = 1280, height = 900, dark = false, expected = [] }, steps) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    deviceScaleFactor: width < 500 ? 2 : 1,
  });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.stack));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected.some((pattern) => pattern.test(message.text()))) errors.push(message.text());
  });
  try {
    await steps(page, context);
    assert.deepEqual(errors, [], "the console has no errors");
  } catch (error) {
    await picture(page, `failed-${Date.now()}`).catch(() => undefined);
    throw error;
  } finally {
    await context.close();
  }
}

/** Keeps a picture in test-output/: what the screen shows, or the whole page. */
export async function picture(page, name, fullPage = false) {
  mkdirSync(OUTPUT, { recursive: true });
  await page.screenshot({ path: `${OUTPUT}${name}.png`, fullPage });
}

/** Clicks a button that asks before it acts. */
export async function confirm(scope, word, sure) {
  await scope.getByRole("button", { name: word, exact: true }).click();
  await scope.getByRole("button", { name: sure }).click();
}

/** What axe finds against WCAG 2.2 AA, contrast included. */
export async function barriers(page) {
  await page.evaluate(axe.source);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { passes, violations } = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), tags);
  assert.ok(passes.length > 15, "axe has looked at the page");
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}`));
}
