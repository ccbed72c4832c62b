// The manifests against the schemas of their kinds, and against what Container Apps is given.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { app } from "./support/bicep.mjs";
import { ROOT, manifests, read } from "./support/tools.mjs";

const FOLDER = "infra/kubernetes";

const files = readdirSync(ROOT + FOLDER).filter((name) => name.endsWith(".yaml")).sort();
const found = manifests(files.map((name) => `${FOLDER}/${name}`));
const one = (kind, file) => found.documents.find((entry) => entry.kind.endsWith(` ${kind}`) && entry.path.endsWith(`/${file}`)).document;

test("every document has a known kind and only its fields", () => {
  assert.deepEqual(found.errors, []);
  assert.equal(found.documents.length, 6);
});

test("validator finds misspelt fields, wrong types and unknown kinds", () => {
  const folder = "target/infra-tests/";
  mkdirSync(ROOT + folder, { recursive: true });
  const table = [
    [read(`${FOLDER}/scaling.yaml`).replace("cooldownPeriod", "coolDownPeriod"), "coolDownPeriod"],
    [read(`${FOLDER}/scaling.yaml`).replace('queueLength: "64"', "queueLength: 64"), "not of type 'string'"],
    [read(`${FOLDER}/scaling.yaml`).replace("authenticationRef", "authentication"), "authentication"],
    [read(`${FOLDER}/api-spinapp.yaml`).replace("components:", "component:"), "component"],
    [read(`${FOLDER}/api-spinapp.yaml`).replace("v1alpha1", "v1"), "no schema"],
    [read(`${FOLDER}/worker.yaml`).replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"), "True was expected"],
  ];
  const paths = table.map(([text], index) => {
    writeFileSync(`${ROOT}${folder}${index}.yaml`, text);
    return `${folder}${index}.yaml`;
  });
  const { errors } = manifests(paths);
  for (const path of paths) rmSync(ROOT + path);
  for (const [index, [, words]] of table.entries()) {
    const ours = errors.filter((error) => error.startsWith(paths[index]));
    assert.ok(ours.some((error) => error.includes(words)), `${index}: ${ours.join("\n")}`);
  }
});

test("scale rules equal those of Container Apps", () => {
  const { scale } = app("infra/worker.bicep").properties.template;
  const { spec } = one("ScaledObject", "scaling.yaml");
  assert.deepEqual(
    [spec.minReplicaCount, spec.maxReplicaCount, spec.pollingInterval, spec.cooldownPeriod],
    [scale.minReplicas, scale.maxReplicas, scale.pollingInterval, scale.cooldownPeriod],
  );
  const [tasks, scheduled, sweep, events] = spec.triggers;
  assert.equal(tasks.metadata.queueLength, String(scale.rules[0].azureQueue.queueLength));
  assert.equal(tasks.metadata.queueLengthStrategy, "all");
  assert.equal(scheduled.metadata.queueName, `${tasks.metadata.queueName}-scheduled`);
  for (const name of ["queueLength", "queueLengthStrategy"]) {
    assert.equal(scheduled.metadata[name], scale.rules[1].custom.metadata[name]);
    assert.equal(events.metadata[name], scale.rules[3].custom.metadata[name]);
  }
  assert.deepEqual(sweep.metadata, scale.rules[2].custom.metadata);
  assert.equal(spec.scaleTargetRef.name, one("Deployment", "worker.yaml").metadata.name);
  assert.equal(events.metadata.queueName, `${tasks.metadata.queueName}-events`);
  for (const trigger of [tasks, scheduled, events]) {
    assert.equal(trigger.authenticationRef.name, one("TriggerAuthentication", "scaling.yaml").metadata.name);
  }
});

test("patch for priority queues adds the rules of Container Apps", () => {
  const { rules } = app("infra/worker.bicep").properties.template.scale;
  const { spec } = one("ScaledObject", "scaling.yaml");
  const [tasks] = spec.triggers;
  const patch = JSON.parse(read(`${FOLDER}/priority-queues.json`));
  assert.deepEqual(patch.map(({ value }) => value.name), rules.slice(4).map(({ name }) => name));
  for (const { op, path, value } of patch) {
    assert.deepEqual([op, path], ["add", "/spec/triggers/-"]);
    const queueName = `${tasks.metadata.queueName}-${value.name}`;
    assert.deepEqual(value, { ...tasks, name: value.name, metadata: { ...tasks.metadata, queueName } });
  }
});

test("pods run the containers of Container Apps", () => {
  const worker = one("Deployment", "worker.yaml").spec;
  assert.equal(worker.replicas, undefined, "the scaler decides");
  const { template } = app("infra/worker.bicep").properties;
  assert.equal(worker.template.spec.terminationGracePeriodSeconds, template.terminationGracePeriodSeconds);
  const api = one("Deployment", "api.yaml").spec;
  assert.equal(
    api.template.spec.terminationGracePeriodSeconds,
    app("infra/api.bicep").properties.template.terminationGracePeriodSeconds,
  );
  for (const spec of [worker, api]) assert.deepEqual(spec.template.metadata.labels, spec.selector.matchLabels);
  assert.deepEqual(one("Service", "api.yaml").spec.selector, api.selector.matchLabels);
});

test("replica has 30 s to start, as in Container Apps", () => {
  for (const file of ["worker.yaml", "api.yaml"]) {
    const { periodSeconds, failureThreshold } = one("Deployment", file).spec.template.spec.containers[0].startupProbe;
    assert.ok(periodSeconds * failureThreshold >= 30, file);
  }
});

test("no template trusts a header that a caller can set", () => {
  for (const file of files) assert.doesNotMatch(read(`${FOLDER}/${file}`), /trust_forwarded"?\s*\n\s*value|TRUST_FORWARDED/, file);
});

test("every variable of the pods is known to manifest or launcher", () => {
  const variables = read("spin.toml");
  const launcher = read("crates/launcher/src/environment.rs");
  for (const file of ["worker.yaml", "api.yaml"]) {
    for (const { name } of one("Deployment", file).spec.template.spec.containers[0].env) {
      const own = name.replace(/^SPIN_VARIABLE_/, "").toLowerCase();
      assert.ok(name.startsWith("SPIN_") ? variables.includes(`\n${own} = {`) : launcher.includes(`("${name}", "`), name);
    }
  }
  const spin = one("SpinApp", "api-spinapp.yaml").spec;
  for (const { name } of spin.variables) assert.ok(variables.includes(`\n${name} = {`), name);
  for (const name of spin.components) assert.ok(variables.includes(`[component.${name}]`), name);
});
