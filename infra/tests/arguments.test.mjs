// infra/arguments.json is the list of the command lines that are deployed. Here: everything that deploys has exactly
// these. container.test.mjs executes them, under the embedded host or, with ACCEPTED_SPIN, under Spin.

import assert from "node:assert/strict";
import { test } from "node:test";

import { app, args } from "./support/bicep.mjs";
import { COMMAND_LINES, commandLine } from "./support/arguments.mjs";
import { exec, stages } from "./support/dockerfile.mjs";
import { manifests, read } from "./support/tools.mjs";

const final = stages(read("Dockerfile")).at(-1);
const commands = (word) => final.steps.filter((step) => step.word === word).map(({ text }) => exec(text));
const launcher = "/usr/local/bin/launcher";

test("every role has a command line to start and one to warm", () => {
  assert.deepEqual(Object.keys(COMMAND_LINES), ["api", "worker", "warm-api", "warm-worker"]);
});

test("Dockerfile has the listed command lines, and starts the API by default", () => {
  assert.deepEqual(commands("ENTRYPOINT"), [[launcher]]);
  assert.deepEqual(commands("CMD"), [commandLine("api")]);
  assert.deepEqual(commands("RUN"), [[launcher, ...commandLine("warm-api")], [launcher, ...commandLine("warm-worker")]]);
});

test("Container Apps and Kubernetes have the listed command lines", () => {
  assert.deepEqual(args("infra/api.bicep"), commandLine("api"));
  assert.deepEqual(args("infra/worker.bicep"), commandLine("worker"));
  const { documents } = manifests(["infra/kubernetes/worker.yaml", "infra/kubernetes/api.yaml"]);
  const container = (name) =>
    documents.find(({ document }) => document.kind === "Deployment" && document.metadata.name === name).document.spec.template.spec.containers[0];
  assert.deepEqual(container("accepted-worker").args, commandLine("worker"));
  assert.equal(container("accepted-api").args, undefined, "the image's default, which is the API");
});

/** The options of a command line of Spin, each with its value. */
function options(role) {
  const found = {};
  const { host } = COMMAND_LINES[role];
  assert.deepEqual(host.slice(0, 2), ["spin", "up"]);
  for (let index = 2; index < host.length; index += 1) {
    const name = host[index];
    assert.match(name, /^--[a-z0-9-]+$/, `${role}: ${name} stands alone, so that option and value can be told apart`);
    assert.ok(!(name in found), `${role}: ${name} twice`);
    const hasValue = index + 1 < host.length && !host[index + 1].startsWith("--");
    found[name] = hasValue ? host[(index += 1)] : true;
  }
  return found;
}

const differences = (one, other) => {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => one[name] !== other[name]).sort();
};

test("warming differs only in options that do not affect compilation", () => {
  const [api, worker, warmApi, warmWorker] = Object.keys(COMMAND_LINES).map(options);
  assert.deepEqual(differences(api, worker), ["--component-id", "--listen", "--max-instance-concurrent-reuse-count"]);
  assert.deepEqual(differences(warmApi, warmWorker), ["--component-id"]);
  const serving = ["--idle-instance-timeout", "--listen", "--max-instance-concurrent-reuse-count", "--max-instance-reuse-count", "--runtime-config-file"];
  assert.deepEqual(differences(api, warmApi), serving);
  assert.deepEqual(differences(worker, warmWorker), serving.filter((name) => name !== "--listen"));
  assert.deepEqual([api["--component-id"], worker["--component-id"]], ["api", "worker"]);
  assert.equal(worker["--listen"], "127.0.0.1:3000", "the drain route is for the launcher alone");
});

test("no role writes files beside the manifest or has --log-dir", () => {
  for (const role of Object.keys(COMMAND_LINES)) {
    assert.equal(options(role)["--state-dir"], "", role);
    assert.ok(!("--log-dir" in options(role)), role);
  }
});

test("no file contains an empty --log-dir", () => {
  for (const path of ["Dockerfile", "README.md", "docs/operations.md", "infra/README.md", "infra/kubernetes/README.md", "infra/kubernetes/worker.yaml", "infra/api.bicep", "infra/worker.bicep"]) {
    assert.doesNotMatch(read(path), /--log-dir['"]?,? *['"]{2}/, path);
  }
});

/** Seconds for which a launcher lets its host serve after SIGTERM, when nothing else is said. */
function linger(role) {
  const { launcher } = COMMAND_LINES[role];
  const said = launcher.indexOf("--linger");
  if (said >= 0) return Number(launcher[said + 1]);
  const [, fallback] = /default_value = "(\d+)"[^\n]*\n\s*pub linger:/.exec(read("crates/launcher/src/arguments.rs")) ?? [];
  assert.ok(fallback, "the launcher has a default of --linger");
  return role === "api" ? Number(fallback) : 0;
}

test("grace period of a replica is longer than the launcher's", () => {
  const { documents } = manifests(["infra/kubernetes/worker.yaml", "infra/kubernetes/api.yaml"]);
  for (const role of ["api", "worker"]) {
    const { launcher } = COMMAND_LINES[role];
    const needed = linger(role) + Number(launcher[launcher.indexOf("--grace") + 1]) + 5;
    const pods = documents.find(({ document }) => document.kind === "Deployment" && document.metadata.name === `accepted-${role}`);
    assert.ok(app(`infra/${role}.bicep`).properties.template.terminationGracePeriodSeconds >= needed, `${role}: ${needed}`);
    assert.ok(pods.document.spec.template.spec.terminationGracePeriodSeconds >= needed, `${role}: ${needed}`);
  }
});
