// The Dockerfile against its linter, and against what the infrastructure starts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { args } from "./support/bicep.mjs";
import { exec, included, stages } from "./support/dockerfile.mjs";
import { read, tool } from "./support/tools.mjs";

const final = stages(read("Dockerfile")).at(-1);
const commands = (word) => final.steps.filter((step) => step.word === word).map(({ text }) => exec(text));
const spin = (command) => command.slice(command.indexOf("--") + 1);

test("hadolint has nothing to say", () => {
  const { code, output } = tool("hadolint", "Dockerfile");
  assert.equal(code, 0, output);
});

test("the image's default is what the API app starts", () => {
  assert.deepEqual(commands("CMD"), [args("infra/api.bicep")]);
});

test("what is compiled while the image is built is what both apps start", () => {
  // Options that change neither what is compiled nor where it is kept.
  const without = ["--runtime-config-file", "--listen", "--max-instance-reuse-count", "--max-instance-concurrent-reuse-count", "--idle-instance-timeout"];
  const relevant = (command) =>
    spin(command).filter((word, index, words) => !without.includes(word) && !without.includes(words[index - 1]));
  assert.deepEqual(commands("RUN").map(relevant), [args("infra/api.bicep"), args("infra/worker.bicep")].map(relevant));
});

test("every option of Spin in use is explained in the Dockerfile", () => {
  const comments = read("Dockerfile").split("\n").filter((line) => line.startsWith("#")).join("\n");
  const used = [args("infra/api.bicep"), args("infra/worker.bicep")].flatMap(spin);
  for (const option of used.filter((word) => word.startsWith("--"))) {
    if (["--from", "--listen"].includes(option)) continue;
    assert.ok(comments.includes(option), option);
  }
});

test("only sources get into the build context", () => {
  const ignore = read(".dockerignore");
  const isIn = (path) => included(ignore, path);
  for (const path of [".env", "target/debug/host", "node_modules/x/y.js", "crates/host/.env", "web/node_modules/x", ".git/config", "docs/x.md", "infra/main.bicep", "a.wasm", "models/a.wasm"]) {
    assert.equal(isIn(path), false, path);
  }
  for (const path of ["Cargo.lock", "crates/azure/src/lib.rs", "web/pages/app.js", "web/pages/vendor/README.md", "infra/container/compile-cache.toml"]) {
    assert.equal(isIn(path), true, path);
  }
});
