// Clients that generators make of the OpenAPI document work against the real application.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { startApp } from "../support/app.mjs";
import { run } from "../support/python.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const OUTPUT = path("../../../test-output/clients/");
const DOCUMENT = `${OUTPUT}openapi.json`;
const LIMIT_MS = 5 * 60_000;
const EXPECTED = {
  status: "Succeeded", words: 6, batch: [202, 400], schedule: "Active", problem: "/problems/task-not-found",
};

let app;

before(async () => {
  app = await startApp({ simulate_unit_ms: "1", schedules: "true" });
  rmSync(OUTPUT, { recursive: true, force: true });
  mkdirSync(OUTPUT, { recursive: true });
  writeFileSync(DOCUMENT, await (await fetch(`${app.url}/openapi.json`)).text());
});

after(() => app?.stop());

/** Runs a program of an npm package, or a script; what it printed. The application is served meanwhile. */
async function node(script, args) {
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args], { cwd: OUTPUT, timeout: LIMIT_MS })
    .catch((error) => assert.fail(`${script}: ${error.message}\n${error.stdout}${error.stderr}`));
  return stdout;
}

/** Runs a program of the Python environment; what it printed. */
async function python(program, args) {
  const { code, output } = await run(program, args, { milliseconds: LIMIT_MS, cwd: OUTPUT });
  assert.equal(code, 0, output);
  return output;
}

test("generated TypeScript client submits, waits and reads a result", async () => {
  const modules = path("../../../node_modules/");
  for (const file of ["client.ts", "tsconfig.json"]) copyFileSync(path(`clients/${file}`), `${OUTPUT}${file}`);
  writeFileSync(`${OUTPUT}package.json`, '{ "type": "module" }\n');
  await node(`${modules}openapi-typescript/bin/cli.js`, [DOCUMENT, "--output", "api.d.ts"]);
  // The types are half of the client: the compiler must accept its use of them.
  await node(`${modules}typescript/bin/tsc`, ["--project", "."]);
  assert.deepEqual(JSON.parse(await node("client.js", [app.url])), EXPECTED);
});

test("generated Python client submits, waits and reads a result", async () => {
  await python("openapi-python-client", [
    "generate", "--path", DOCUMENT, "--output-path", `${OUTPUT}accepted_client`, "--meta", "none",
    "--config", path("clients/openapi-python-client.yml"), "--fail-on-warning",
  ]);
  assert.deepEqual(JSON.parse(await python("python", [path("clients/client.py"), app.url, OUTPUT])), EXPECTED);
});
