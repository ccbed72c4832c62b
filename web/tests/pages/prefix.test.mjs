// Behind a gateway with a path prefix: every address that is given out leads through it.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { ended, startApp, submit } from "../support/app.mjs";
import { launch, withPage } from "../support/browser.mjs";
import { PREFIX, startGateway } from "../support/gateway.mjs";

let app;
let browser;
let gateway;

before(async () => {
  gateway = await startGateway();
  app = await startApp({ public_base_url: gateway.url, simulate_unit_ms: "20" });
  gateway.to(app.url);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await app?.stop();
  await gateway?.stop();
});

const throughGateway = (address) => assert.ok(address.startsWith(`${gateway.url}/`), address);

test("dashboard submits, follows and lists through the gateway", () =>
  withPage(browser, {}, async (page) => {
    const listed = page.waitForResponse((response) => response.url().startsWith(`${gateway.url}/tasks?`) && response.ok());
    const streamed = page.waitForRequest((asked) => asked.url().endsWith("/events"));
    await page.goto(`${gateway.url}/`);
    await listed;
    await page.getByLabel("Name", { exact: true }).first().fill("text-statistics");
    await page.getByLabel("Input").fill('"to be or not to be"');
    await page.getByRole("button", { name: "Submit task" }).click();
    await page.locator("#submit-outcome a").click();
    throughGateway((await streamed).url());
    await page.getByRole("heading", { name: "Result", exact: true }).waitFor();
    const result = page.getByRole("link", { name: "Open the result on its own" });
    throughGateway(await result.evaluate((link) => link.href));
    throughGateway(await page.getByRole("link", { name: "API reference" }).evaluate((link) => link.href));
    assert.deepEqual(gateway.beside, []);
  }));

test("numbers beyond a double are shown with all digits", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(`${gateway.url}/`);
    const text = '{"amount":1000000000000000000001,"exact":1.10,"plain":7}';
    const shown = await page.evaluate(async (given) => {
      const { parse } = await import(new URL("js/api.js", document.baseURI).href);
      return JSON.stringify(parse(given));
    }, text);
    assert.equal(shown, text);
  }));

test("API reference sends requests through the gateway from each address", () =>
  withPage(browser, {}, async (page) => {
    for (const path of ["/swagger", "/swagger/", "/swagger/index.html"]) {
      await page.goto(gateway.url + path);
      assert.equal(page.url(), `${gateway.url}/swagger`);
      await page.locator("#reference .opblock").first().waitFor();
    }
    const operation = page.locator('.opblock:has([data-path="/healthz"])');
    await operation.locator(".opblock-summary-control").click();
    await operation.getByRole("button", { name: "Try it out" }).click();
    const asked = page.waitForResponse((response) => response.url().endsWith("/healthz"));
    await operation.getByRole("button", { name: "Execute" }).click();
    const response = await asked;
    assert.deepEqual([response.url(), response.status()], [`${gateway.url}/healthz`, 200]);
    assert.deepEqual(gateway.beside, []);
  }));

test("generator finds the API from either address of its description", async () => {
  for (const path of ["/openapi.json", "/swagger/v1/swagger.json"]) {
    const address = gateway.url + path;
    const description = await (await fetch(address)).json();
    const server = new URL(description.servers[0].url, address).href.replace(/\/$/, "");
    assert.equal(server, gateway.url, path);
  }
});

test("addresses in responses lead through the gateway", async () => {
  const response = await fetch(`${gateway.url}/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ TaskName: "checksum", Input: "hello" }),
  });
  const monitor = response.headers.get("operation-location");
  throughGateway(monitor);
  const { id } = await response.json();
  const task = await ended(gateway.url, id);
  throughGateway(task.resourceLocation);
  const moved = await fetch(`${monitor}?redirect=true`);
  throughGateway(moved.url);
  assert.equal((await moved.json()).bytes, 5);
  await submit(gateway.url, { TaskName: "checksum", Input: "again" });
  const { nextLink } = await (await fetch(`${gateway.url}/tasks?top=1`)).json();
  throughGateway(nextLink);
  assert.equal((await fetch(nextLink)).status, 200);
  const problem = await (await fetch(`${gateway.url}/tasks/${id}/nothing`)).json();
  assert.equal(problem.instance, `${PREFIX}/tasks/${id}/nothing`);
  assert.deepEqual(gateway.beside, []);
});

test("response to HEAD has a length, and its connection continues", async () => {
  const { port } = new URL(app.url);
  const said = await new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setTimeout(10_000, () => reject(new Error(`no end after: ${text}`)));
    socket.on("data", (data) => (text += data)).on("end", () => resolve(text)).on("error", reject);
    const head = (method, path, more = "") => `${method} ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
    socket.write(head("HEAD", "/openapi.json") + head("HEAD", "/healthz") + head("GET", "/healthz", "Connection: close\r\n"));
  });
  const [openapi, healthz, got] = said.split(/(?=HTTP\/1\.1 )/);
  const length = (response) => Number(/content-length: (\d+)/i.exec(response)?.[1]);
  assert.ok(length(openapi) > 10_000, openapi);
  for (const response of [openapi, healthz]) assert.match(response, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n$/);
  assert.equal(length(healthz), length(got));
  assert.match(got, /\{"status":"alive"\}$/);
});
