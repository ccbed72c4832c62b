// The pipelines: readable, with no more rights than they need, and with actions that cannot change unnoticed.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

import { ROOT, read, trees, yaml } from "./support/tools.mjs";

const FOLDER = ".github/workflows";
const names = readdirSync(`${ROOT}${FOLDER}`).sort();

test("every workflow has a time limit and named permissions", () => {
  const workflows = yaml(names.map((name) => `${FOLDER}/${name}`));
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

test("every action is pinned by commit or explained", () => {
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

/** Variables that the parameter files read, with their defaults. */
function parameterVariables() {
  const found = {};
  for (const name of ["main", "api", "worker"]) {
    for (const { value } of Object.values(JSON.parse(read(`infra/${name}.parameters.json`)).parameters)) {
      const [, variable, fallback] = /^\$\{(\w+)(?:=(.*))?\}$/.exec(value);
      found[variable] = fallback ?? found[variable];
    }
  }
  return found;
}

test("deployment passes every variable of the parameter files with its default", () => {
  const [{ jobs }] = yaml([`${FOLDER}/deploy.yml`]);
  const passed = jobs.deploy.env;
  const outputs = Object.keys(trees()["infra/main.bicep"].outputs);
  const wanted = parameterVariables();
  // What azd sets itself, and what it learns from the first deployment and has no default.
  const known = (name) => name.startsWith("SERVICE_") || (outputs.includes(name) && wanted[name] === undefined);
  for (const [name, fallback] of Object.entries(wanted).filter(([name]) => !known(name))) {
    const expression = fallback ? `\${{ vars.${name} || '${fallback}' }}` : `\${{ vars.${name} }}`;
    assert.equal(passed[name], expression, name);
  }
  for (const name of Object.keys(passed).filter((name) => name.startsWith("ACCEPTED_"))) {
    assert.ok(name in wanted, `${name} is passed, and nothing reads it`);
  }
  assert.ok(Object.keys(wanted).length >= 25);
});

test("every push tests Spin in the version of the image", () => {
  const [{ jobs }] = yaml([`${FOLDER}/verify.yml`]);
  const runs = jobs.spin.steps.flatMap(({ run }) => run ?? []).join("\n");
  assert.match(runs, /cargo xtask test --host spin/);
  assert.match(runs, /sha256sum --check --strict/);
  const [, version] = /^ARG SPIN_VERSION=(v4\.\d+\.\d+)$/m.exec(read("Dockerfile"));
  assert.ok(!runs.includes(version), "the version is read from the Dockerfile, where it stands once");
  assert.ok(runs.includes("sed -n 's/^ARG SPIN_VERSION=//p' Dockerfile"));
});
