// What the Bicep files promise, read from their parse trees.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";

import { app, args, container, decide, value } from "./support/bicep.mjs";
import { BUILT, ROOT, bicepFiles, read, tool, trees } from "./support/tools.mjs";

const APPS = { api: "infra/api.bicep", worker: "infra/worker.bicep" };

/** Role definition ids as Microsoft publishes them. */
const ROLES = {
  "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
  "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
  "Storage Queue Data Reader": "19e7f393-937e-4f77-808e-94535e297925",
  "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
  AcrPull: "7f951dda-4ed3-4680-a7ca-43fe172d538d",
};

/** Variables of spin.toml with their defaults, and which a component reads. */
function manifest() {
  const sections = {};
  let section = {};
  for (const line of read("spin.toml").split("\n")) {
    const head = /^\[+([\w.]+)\]+$/.exec(line);
    if (head) section = sections[head[1]] ??= {};
    const pair = /^(\w+) = (.*)$/.exec(line);
    if (pair) section[pair[1]] = pair[2];
  }
  const defaults = Object.entries(sections.variables).map(([name, text]) => [name, /default = "([^"]*)"/.exec(text)[1]]);
  return { defaults: Object.fromEntries(defaults), of: (component) => sections[`component.${component}.variables`], component: (name) => sections[`component.${name}`] };
}

test("policy scanner finds nothing without a documented exception", () => {
  assert.deepEqual(Object.keys(trees()), bicepFiles());
  const { code, output } = tool("checkov", "--directory", "infra", "--config-file", "infra/.checkov.yaml");
  assert.equal(code, 0, output);
  assert.match(output, /Passed checks: [1-9]\d*, Failed checks: 0/);
});

test("every module exists and gets exactly its parameters", () => {
  let count = 0;
  for (const [path, tree] of Object.entries(trees())) {
    for (const module of Object.values(tree.modules ?? {})) {
      const file = `infra/${module.detail.path}`;
      const config = module.config.config ?? module.config;
      const wanted = Object.entries(trees()[file].parameters ?? {});
      const given = Object.keys(config.params);
      for (const name of given) assert.ok(wanted.some(([known]) => known === name), `${path}: ${file} has no ${name}`);
      for (const [name, { default: fallback }] of wanted) {
        assert.ok(fallback !== null || given.includes(name), `${path}: ${file} needs ${name}`);
      }
      count += 1;
    }
  }
  assert.ok(count >= 8, `${count}`);
});

test("parameter files set every parameter without a default", () => {
  const outputs = Object.keys(trees()["infra/main.bicep"].outputs);
  const azd = ["AZURE_ENV_NAME", "AZURE_LOCATION", "SERVICE_API_IMAGE_NAME", "SERVICE_WORKER_IMAGE_NAME"];
  for (const name of ["main", "api", "worker"]) {
    const { parameters } = JSON.parse(read(`infra/${name}.parameters.json`));
    const wanted = trees()[`infra/${name}.bicep`].parameters;
    for (const [parameter, { value: text }] of Object.entries(parameters)) {
      assert.ok(parameter in wanted, `${name}: there is no parameter ${parameter}`);
      const [, variable, fallback] = /^\$\{(\w+)(=.*)?\}$/.exec(text);
      const isSet = azd.includes(variable) || (name !== "main" && outputs.includes(variable));
      assert.ok(isSet || fallback !== undefined, `${name}: nothing sets ${variable}`);
    }
    for (const [parameter, { default: fallback }] of Object.entries(wanted)) {
      assert.ok(fallback !== null || parameter in parameters, `${name}: nothing fills ${parameter}`);
    }
  }
});

test("each service is deployed by the Bicep file of its name", () => {
  const services = [...read("azure.yaml").matchAll(/^ {2}(\w+):\n {4}project/gm)].map(([, name]) => name);
  assert.deepEqual(services, Object.keys(APPS));
  for (const [name, file] of Object.entries(APPS)) {
    assert.ok(existsSync(`${ROOT}infra/${name}.bicep`));
    assert.equal(app(file).tags["'azd-service-name'"], name);
  }
});

test("every container variable is known to the manifest or the launcher", () => {
  const { defaults, of } = manifest();
  const launcher = read("crates/launcher/src/environment.rs");
  for (const [name, file] of Object.entries(APPS)) {
    const names = container(file).env.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const variable of names) {
      const own = variable.replace(/^SPIN_VARIABLE_/, "").toLowerCase();
      if (own === variable.toLowerCase()) {
        assert.ok(launcher.includes(`("${variable}", "`), variable);
      } else {
        assert.ok(own in defaults, variable);
        const isHost = own.endsWith("_host");
        assert.ok(isHost || own in of(name), `${name} does not read ${own}`);
      }
    }
  }
});

test("default queue and container names equal those of the manifest", () => {
  const { defaults } = manifest();
  const { parameters } = trees()["infra/main.bicep"];
  assert.equal(parameters.queueName.default, defaults.task_queue_name);
  assert.equal(parameters.containerName.default, defaults.task_blob_container_name);
  assert.ok(parameters.containerName.default.length + "-poison".length <= 63);
  assert.equal(String(parameters.retentionDays.default), defaults.retention_days);
  const { queue } = trees()["infra/modules/storage.bicep"].resources;
  assert.deepEqual(queue.config.loop_type.detail.array_name, ["", "-scheduled", "-events", "-poison"]);
  const names = read("crates/storage/src/queue.rs") + read("crates/storage/src/azure/queue.rs");
  for (const suffix of ["-scheduled", "-events", "-poison"]) assert.ok(names.includes(suffix), suffix);
});

test("both apps scale from 0 to 10, by their scale rules", () => {
  for (const file of Object.values(APPS)) {
    const { scale } = app(file).properties.template;
    assert.deepEqual([scale.minReplicas, scale.maxReplicas, scale.cooldownPeriod], [0, 10, 300]);
  }
  assert.deepEqual(app(APPS.api).properties.template.scale.rules.map(({ name }) => name), ["http"]);
  const [tasks, scheduled, sweep, events] = app(APPS.worker).properties.template.scale.rules;
  const options = args(APPS.worker);
  const atOnce = Number(options[options.indexOf("--parallel") + 1]) * Number(
    container(APPS.worker).env.find(({ name }) => name === "SPIN_VARIABLE_MAX_CONCURRENCY").value,
  );
  const { accountName, queueName, queueLength, identity } = tasks.azureQueue;
  assert.deepEqual([accountName, queueName, queueLength, identity], ["accountName", "queueName", atOnce, "identityId"]);
  assert.equal(scheduled.custom.type, "azure-queue");
  assert.equal(scheduled.custom.identity, "identityId");
  assert.equal(scheduled.custom.metadata.queueName, "${queueName}-scheduled");
  assert.equal(scheduled.custom.metadata.queueLengthStrategy, "visibleonly");
  for (const text of Object.values(scheduled.custom.metadata)) assert.ok(typeof text !== "number", "metadata is text");
  assert.equal(sweep.custom.type, "cron");
  assert.equal(sweep.custom.metadata.desiredReplicas, "1");
  assert.equal(events.custom.metadata.queueName, "${queueName}-events");
  assert.equal(events.custom.metadata.queueLengthStrategy, "visibleonly");
  assert.equal(events.custom.identity, "identityId");
});

test("queues of High and Low tasks exist, are scaled by and watched", () => {
  const { priorityQueue } = trees()["infra/modules/storage.bicep"].resources;
  const suffixes = priorityQueue.config.loop_type.detail.array_name;
  assert.deepEqual(suffixes, ["-high", "-low"]);
  const names = read("crates/storage/src/azure/queue.rs");
  for (const suffix of suffixes) assert.ok(names.includes(`"${suffix}"`), suffix);
  const [tasks, , , , ...others] = app(APPS.worker).properties.template.scale.rules;
  assert.deepEqual(others, suffixes.map((suffix) => ({
    name: suffix.slice(1), azureQueue: { ...tasks.azureQueue, queueName: "${queueName}" + suffix },
  })));
  assert.ok(read("infra/modules/alerts.bicep").includes(`(${suffixes.join("|")})?/messages`));
  for (const file of Object.values(APPS)) {
    const { value } = container(file).env.find(({ name }) => name === "SPIN_VARIABLE_PRIORITY_QUEUES");
    assert.equal(value, "priorityQueues");
  }
  assert.equal(trees()["infra/main.bicep"].parameters.priorityQueues.default, manifest().defaults.priority_queues);
});

test("schedules are enabled in both apps by one setting, and off by default", () => {
  for (const [role, file] of Object.entries(APPS)) {
    const { value } = container(file).env.find(({ name }) => name === "SPIN_VARIABLE_SCHEDULES");
    assert.equal(value, "schedules");
    assert.ok(read(`infra/${role}.parameters.json`).includes('"schedules": { "value": "${ACCEPTED_SCHEDULES}" }'));
  }
  assert.equal(trees()["infra/main.bicep"].parameters.schedules.default, manifest().defaults.schedules);
});

test("log level reaches both apps, with the default of the manifest", () => {
  for (const [role, file] of Object.entries(APPS)) {
    const { value } = container(file).env.find(({ name }) => name === "SPIN_VARIABLE_LOG_LEVEL");
    assert.equal(value, "logLevel");
    const given = read(`infra/${role}.parameters.json`).match(/"logLevel": \{ "value": "\$\{ACCEPTED_LOG_LEVEL=(\w+)\}" \}/);
    assert.equal(given[1], manifest().defaults.log_level);
  }
});

test("worker has no ingress, and the API only TLS", () => {
  assert.equal(app(APPS.worker).properties.configuration.ingress, undefined);
  assert.equal(app(APPS.api).properties.configuration.ingress.allowInsecure, false);
  for (const file of Object.values(APPS)) {
    const { configuration, template } = app(file).properties;
    assert.equal(configuration.activeRevisionsMode, "Single");
    assert.deepEqual(configuration.identitySettings.map(({ lifecycle }) => lifecycle), ["None", "Main"]);
    const options = args(file);
    const grace = Number(options[options.indexOf("--grace") + 1]);
    assert.ok(grace + 5 <= template.terminationGracePeriodSeconds, `${file}: ${grace}`);
  }
});

test("launcher and host accept the arguments of both apps", () => {
  for (const file of Object.values(APPS)) {
    const all = args(file);
    const cut = all.indexOf("--");
    // A command that cannot be started: everything before it was understood, or the code would be 2.
    const own = all.slice(0, cut).map((word) => word.replace("0.0.0.0:9090", "127.0.0.1:0"));
    const done = spawnSync(`${BUILT}launcher`, [...own, "--", "/no/such/program"], { encoding: "utf8" });
    assert.equal(done.status, 1, done.stderr);
    assert.match(done.stderr, /the host cannot be started/);
    // Likewise: a manifest that is not there is looked for last.
    const host = all.slice(cut + 2).map((word) => word.replace(/^\/app\/(?=runtime)/, ROOT));
    const up = spawnSync(`${BUILT}host`, host, { encoding: "utf8" });
    assert.equal(up.status, 1, up.stderr);
    assert.match(up.stderr, /spin\.toml' not found/, up.stderr);
  }
});

test("probes use existing routes on open ports", () => {
  const routes = read("crates/api/src/http/route.rs");
  for (const [name, file] of Object.entries(APPS)) {
    const ports = args(file).flatMap((word) => /^[\d.]+:(\d+)$/.exec(word)?.[1] ?? []).map(Number);
    const probes = container(file).probes;
    assert.ok(probes.some(({ type }) => type === "Liveness"));
    for (const { httpGet, failureThreshold } of probes) {
      assert.ok(ports.includes(httpGet.port), `${name}: ${httpGet.port}`);
      assert.ok(failureThreshold >= 1 && failureThreshold <= 10, "the platform's own bounds");
      const isHost = httpGet.path === "/.well-known/spin/health";
      if (name === "worker") assert.equal(httpGet.path, "/healthz");
      else assert.ok(isHost || routes.includes(`"${httpGet.path}" =>`), httpGet.path);
    }
  }
  assert.equal(app(APPS.api).properties.configuration.ingress.targetPort, 3000);
});

test("replica has 30 s to start, enough to compile the components", () => {
  for (const file of Object.values(APPS)) {
    const { periodSeconds, failureThreshold } = container(file).probes.find(({ type }) => type === "Startup");
    assert.ok(periodSeconds * failureThreshold >= 30, file);
  }
});

test("easy-auth without authentication and api-key without a key are refused", () => {
  const given = { apiAuth: "none", easyAuthClientId: "", easyAuthIssuer: "", apiKeyHashes: "" };
  const auth = (more) => decide(APPS.api, "checkedAuth", { ...given, ...more });
  assert.equal(auth({}), "none");
  assert.equal(auth({ apiAuth: "easy-auth", easyAuthClientId: "id" }), "easy-auth");
  assert.equal(auth({ apiAuth: "api-key", apiKeyHashes: "00" }), "api-key");
  assert.throws(() => auth({ apiAuth: "easy-auth" }), /^Error: apiAuth easy-auth needs easyAuthClientId \(ACCEPTED_EASY_AUTH_CLIENT_ID\)/);
  assert.throws(() => auth({ apiAuth: "api-key" }), /^Error: apiAuth api-key needs apiKeyHashes \(ACCEPTED_API_KEY_HASHES\)/);
  assert.ok(container(APPS.api).env.some(({ name, value: text }) => name === "SPIN_VARIABLE_API_AUTH" && JSON.stringify(text).includes("needs easyAuthClientId")));
  const { auth: resource } = trees()[APPS.api].resources;
  assert.equal(resource.type, "Microsoft.App/containerApps/authConfigs");
  assert.deepEqual(resource.config.condition.operator.operands, { operand_1: "apiAuth", operand_2: "easy-auth" });
  const { parent, name, properties } = resource.config.config;
  assert.deepEqual([parent, name, properties.platform.enabled], ["app", "current", true]);
  assert.equal(properties.globalValidation.unauthenticatedClientAction, "Return401");
});

test("numbers that azd passes as text are bounded", () => {
  const main = "infra/main.bicep";
  const given = Object.fromEntries(Object.entries(trees()[main].parameters).map(([name, { default: text }]) => [name, text]));
  for (const [name, parameter, good, bad] of [
    ["checkedRetentionDays", "retentionDays", ["1", "30", "3650"], ["0", "3651", "many"]],
    ["checkedRuleRetentionDays", "ruleRetentionDays", ["0", "3650"], ["-1", "3651"]],
    ["checkedStaleMinutes", "staleMinutes", ["15", "45", "110"], ["14", "111"]],
  ]) {
    for (const text of good) assert.equal(decide(main, name, { ...given, [parameter]: text }), Number(text));
    for (const text of bad) assert.throws(() => decide(main, name, { ...given, [parameter]: text }), new RegExp(`is ${text}, but must be`));
  }
});

test("azd sets names, retention and the thresholds of alerts", () => {
  const { parameters } = JSON.parse(read("infra/main.parameters.json"));
  const { parameters: known } = trees()["infra/main.bicep"];
  for (const name of ["queueName", "containerName", "retentionDays", "ruleRetentionDays", "replication", "staleMinutes", "poisonThreshold", "errorThreshold"]) {
    const [, fallback] = /^\$\{ACCEPTED_[A-Z_]+=(.+)\}$/.exec(parameters[name].value);
    assert.equal(fallback, known[name].default, name);
  }
  for (const rule of value("infra/modules/alerts.bicep", "rules")) assert.notEqual(rule.threshold, undefined, rule.name);
});

test("API has a configured address and trusts no forwarded header", () => {
  const names = container(APPS.api).env.map(({ name }) => name);
  assert.ok(names.includes("SPIN_VARIABLE_PUBLIC_BASE_URL"));
  for (const file of Object.values(APPS)) assert.ok(!container(file).env.some(({ name }) => name === "SPIN_VARIABLE_TRUST_FORWARDED"), file);
});

/** Roles by mode and identity, as the Bicep assigns them. */
function assigned() {
  const roles = "infra/modules/storage-roles.bicep";
  const short = (text) => text.replace("PrincipalId", "");
  const byId = Object.fromEntries(Object.entries(ROLES).map(([name, id]) => [id, name]));
  const found = [];
  for (const [mode, variable] of [["keyless", "keylessAssignments"], ["keyVault", "keyVaultAssignments"]]) {
    for (const { principalId, role } of value(roles, variable)) found.push([mode, short(principalId), byId[role]]);
    found.push([mode, "pull", byId[value("infra/modules/registry.bicep", "acrPull")]]);
  }
  const { readers } = trees()["infra/modules/key-vault.bicep"].resources;
  for (const principal of readers.config.loop_type.detail.array_name) {
    found.push(["keyVault", short(principal), byId[value("infra/modules/key-vault.bicep", "secretsUser")]]);
  }
  return found.map((row) => row.join(" | ")).sort();
}

test("role assignments equal the table in docs/operations.md", () => {
  const rows = read("docs/operations.md").matchAll(/^\| (keyless|keyVault) \| (api|worker|pull) \| ([\w ]+) \| `([\w-]+)` \|/gm);
  const documented = [];
  for (const [, mode, identity, role, id] of rows) {
    assert.equal(ROLES[role], id, role);
    documented.push([mode, identity, role].join(" | "));
  }
  assert.deepEqual(assigned(), documented.sort());
  assert.ok(documented.length >= 9);
});

test("storage account refuses public access and plain HTTP", () => {
  const { account, container: blobs, lifecycle } = trees()["infra/modules/storage.bicep"].resources;
  const { properties } = account.config;
  assert.deepEqual(
    [properties.allowBlobPublicAccess, properties.minimumTlsVersion, properties.supportsHttpsTrafficOnly, properties.allowSharedKeyAccess],
    [false, "TLS1_2", true, "allowSharedKey"],
  );
  assert.equal(blobs.config.config.properties.publicAccess, "None");
  assert.ok(lifecycle.config.properties.policy.rules.every(({ enabled }) => enabled));
});

test("documents and poison originals are kept a month longer than needed", () => {
  const storage = "infra/modules/storage.bicep";
  const { container: blobs, lifecycle } = trees()[storage].resources;
  assert.deepEqual(blobs.config.loop_type.detail.array_name, ["", "-poison"]);
  assert.match(read("crates/storage/src/azure/blob.rs"), /\{container\}-poison/, "the name that the worker uses");
  const { rules } = lifecycle.config.properties.policy;
  assert.deepEqual(rules.map(({ definition }) => definition.filters.prefixMatch), [["${containerName}/"], ["${containerName}-poison/"]]);
  for (const { definition } of rules) assert.equal(definition.actions.baseBlob.delete.daysAfterModificationGreaterThan, "keptDays");
  for (const [retentionDays, days] of [[1, 37], [7, 37], [8, 38], [30, 60], [3650, 3680]]) {
    assert.equal(decide(storage, "keptDays", { retentionDays }), days);
  }
});

test("lifecycle rules wait for the longest retention, of the variable or of a handler's rule", () => {
  const main = "infra/main.bicep";
  assert.equal(trees()[main].modules.storage.config.params.retentionDays, "longestRetentionDays");
  for (const [retentionDays, ruleRetentionDays, days] of [["30", "0", 30], ["30", "7", 30], ["30", "365", 365]]) {
    assert.equal(decide(main, "longestRetentionDays", { retentionDays, ruleRetentionDays }), days);
  }
});

test("alerts search for log messages that exist", () => {
  const queries = value("infra/modules/alerts.bicep", "rules").map(({ query }) => query).join("\n") + JSON.stringify(trees()["infra/modules/alerts.bicep"].variables);
  assert.match(queries, /line\.poisoned/);
  assert.match(queries, /line\.level/);
  assert.match(read("models/src/drain.rs"), /"poisoned"/);
  assert.match(read("crates/logging/src/lib.rs"), /"level"/);
  assert.equal(container(APPS.worker).name, "worker");
});
