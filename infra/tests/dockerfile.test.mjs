// The Dockerfile against its linter. arguments.test.mjs has its commands.

import assert from "node:assert/strict";
import { test } from "node:test";

import { COMMAND_LINES } from "./support/arguments.mjs";
import { included } from "./support/dockerfile.mjs";
import { read, tool } from "./support/tools.mjs";

test("hadolint reports nothing", () => {
  const { code, output } = tool("hadolint", "Dockerfile");
  assert.equal(code, 0, output);
});

test("Dockerfile explains every option of Spin in use", () => {
  const comments = read("Dockerfile").split("\n").filter((line) => line.startsWith("#")).join("\n");
  const used = Object.values(COMMAND_LINES).flatMap(({ host }) => host);
  for (const option of used.filter((word) => word.startsWith("--"))) {
    if (["--from", "--listen"].includes(option)) continue;
    assert.ok(comments.includes(option), option);
  }
});

test("build context contains only sources", () => {
  const ignore = read(".dockerignore");
  const isIn = (path) => included(ignore, path);
  for (const path of [".env", "target/debug/host", "node_modules/x/y.js", "crates/host/.env", "web/node_modules/x", ".git/config", "docs/x.md", "infra/main.bicep", "a.wasm", "models/a.wasm", "handlers/x/node_modules/y.js", "handlers/x/.venv/bin/python", "handlers/x/target/release/x"]) {
    assert.equal(isIn(path), false, path);
  }
  for (const path of ["Cargo.lock", "crates/azure/src/lib.rs", "web/pages/app.js", "web/pages/vendor/README.md", "infra/container/compile-cache.toml", "handlers/x/handler.wasm", "handlers/x/target/wasm32-wasip2/release/x.wasm"]) {
    assert.equal(isIn(path), true, path);
  }
});

test("no container captures backtraces: they cost a sixth of the throughput of Spin", () => {
  const files = ["Dockerfile", "infra/api.bicep", "infra/worker.bicep", "infra/kubernetes/api.yaml", "infra/kubernetes/worker.yaml", "infra/kubernetes/api-spinapp.yaml"];
  for (const file of files) assert.doesNotMatch(read(file), /RUST_(LIB_)?BACKTRACE/, file);
});
