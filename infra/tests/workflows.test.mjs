// The pipelines: readable, with no more rights than they need, and with actions that cannot change unnoticed.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

import { ROOT, read, tool } from "./support/tools.mjs";

const FOLDER = ".github/workflows";
const names = readdirSync(`${ROOT}${FOLDER}`).sort();

test("every workflow is valid YAML with a limit of time and named rights", () => {
  const script = "import sys, json, yaml; json.dump([yaml.safe_load(open(path)) for path in sys.argv[1:]], sys.stdout)";
  const { code, text, output } = tool("python", "-c", script, ...names.map((name) => `${FOLDER}/${name}`));
  assert.equal(code, 0, output);
  const workflows = JSON.parse(text);
  assert.equal(workflows.length, 3);
  for (const [index, { permissions, jobs }] of workflows.entries()) {
    assert.equal(permissions.contents, "read", names[index]);
    for (const [job, { "timeout-minutes": minutes, steps }] of Object.entries(jobs)) {
      assert.ok(minutes > 0, `${names[index]}: ${job}`);
      for (const step of steps) {
        if (step.uses?.startsWith("actions/checkout")) assert.equal(step.with["persist-credentials"], false);
      }
    }
  }
});

test("an action is pinned by its commit, or a comment says why not", () => {
  for (const name of names) {
    const lines = read(`${FOLDER}/${name}`).split("\n");
    for (const [index, line] of lines.entries()) {
      const [, action] = /uses: (\S+)/.exec(line) ?? [];
      if (!action) continue;
      const isPinned = /@[0-9a-f]{40}$/.test(action) && / # v\d/.test(line);
      assert.ok(isPinned || /^\s*# By major version/.test(lines[index - 1]), `${name}: ${action}`);
    }
  }
});
