// Executes the Dockerfile's own steps without Docker: below a folder instead of at the root of a file system, and with
// what was built already in place of the compiler's output. ACCEPTED_SPIN names the Spin to do it with; without it the
// embedded host stands in its place.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync, chownSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync,
  statSync, symlinkSync, writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

import { freePort, sleep } from "../../web/tests/support/app.mjs";
import { copy, exec, included, stages } from "./support/dockerfile.mjs";
import { commandLine } from "./support/arguments.mjs";
import { BUILT, ROOT, read } from "./support/tools.mjs";

const IS_ROOT = process.getuid() === 0;
const UNPRIVILEGED = 65532;
const all = stages(read("Dockerfile"));
const final = all.at(-1);
const step = (word) => final.steps.filter((step) => step.word === word);

let image; // the root of the file system that is being made
let temporary; // its /tmp
let ports;
const running = new Set();

before(async () => {
  image = mkdtempSync(join(tmpdir(), "accepted-image-"));
  temporary = mkdtempSync(join(tmpdir(), "accepted-tmp-"));
  chmodSync(image, 0o755);
  if (IS_ROOT) chownSync(temporary, UNPRIVILEGED, UNPRIVILEGED);
  ports = { 3000: await freePort(), 9090: await freePort() };
});

after(() => {
  for (const child of running) child.kill("SIGKILL");
  writable(image, true);
  rmSync(image, { recursive: true, force: true });
  rmSync(temporary, { recursive: true, force: true });
});

/** A path inside the image as one of this machine. */
const inside = (path) => join(image, path);

/** A word of a command with its paths moved below the image's folder and its ports to free ones. */
const moved = (word) =>
  word
    .replace(/^\/(?=app|src|usr)/, `${image}/`)
    .replace(/(127\.0\.0\.1|0\.0\.0\.0):(3000|9090)/, (_, host, port) => `127.0.0.1:${ports[port]}`);

function environment(more = {}) {
  const fixed = Object.fromEntries(
    step("ENV").flatMap(({ text }) => text.split(/\s+/)).map((pair) => pair.split("=")),
  );
  assert.deepEqual(fixed, { HOME: "/tmp", TMPDIR: "/tmp" });
  return { PATH: inside("/usr/local/bin"), HOME: temporary, TMPDIR: temporary, ...more };
}

/** Runs a command of the image to its end, as the user who builds it. */
function runInside(command) {
  const [program, ...rest] = command.map(moved);
  const done = spawnSync(program, rest, { cwd: inside("/app"), env: environment(), encoding: "utf8", timeout: 120_000 });
  assert.equal(done.status, 0, `${command.join(" ")}\n${done.stdout}${done.stderr}`);
  return done.stderr;
}

/** Starts a command of the image as the user it names. */
function startInside(command, more) {
  const [program, ...rest] = command.map(moved);
  const identity = IS_ROOT ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
  const child = spawn(program, rest, { cwd: inside("/app"), env: environment(more), stdio: ["ignore", "pipe", "pipe"], ...identity });
  running.add(child);
  const state = { child, output: "", code: undefined };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (state.output += data));
  child.on("exit", (code, signal) => (state.code = signal ?? code));
  return state;
}

/** The outcome of the image's own health check. */
function healthCheck() {
  const [{ text }] = step("HEALTHCHECK");
  const [program, ...rest] = exec(text).map(moved);
  return spawnSync(program, rest, { env: environment() }).status;
}

async function until(what, state, condition) {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(50)) {
    if (await condition()) return;
    assert.equal(state.code, undefined, `it ended: ${state.output}`);
  }
  assert.fail(`${what}: ${state.output}`);
}

async function ended(state) {
  state.child.kill("SIGTERM");
  for (const end = Date.now() + 20_000; state.code === undefined && Date.now() < end; ) await sleep(50);
  running.delete(state.child);
  return state.code;
}

/** Asks a host; without keeping the connection, which would keep the host from ending. */
const get = (path, port = 3000, method = "GET") =>
  fetch(`http://127.0.0.1:${ports[port]}${path}`, { method, headers: { connection: "close" } }).catch(() => undefined);

function writable(path, may) {
  if (IS_ROOT) return; // as the superuser, who may write anyway; the image's user owns nothing in there
  for (const name of [".", ...readdirSync(path, { recursive: true })]) {
    const file = join(path, name);
    const { mode } = statSync(file);
    chmodSync(file, may ? mode | 0o200 : mode & ~0o222);
  }
}

/** Every file below a folder with its size and the time of its last change. */
function contents(path) {
  const files = readdirSync(path, { recursive: true }).sort();
  return files.map((name) => {
    const data = statSync(join(path, name));
    return `${name} ${data.isFile() ? `${data.size} ${data.mtimeMs}` : ""}`;
  });
}

/** Copies the build context's files to where a COPY without --from puts them. */
function copyContext({ sources, target }, folder) {
  const ignore = read(".dockerignore");
  for (const source of sources) {
    const tracked = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", source], {
      cwd: ROOT, encoding: "utf8",
    }).stdout.split("\n").filter((name) => name && existsSync(ROOT + name));
    const names = tracked.filter((name) => included(ignore, name));
    assert.ok(names.length > 0, `.dockerignore keeps ${source} out`);
    for (const name of names) {
      const isFile = name === source;
      const relative = isFile ? name.split("/").at(-1) : source === "." ? name : name.slice(source.length + 1);
      const to = isFile ? join(folder, target, relative) : join(folder, source === "." ? "" : target, relative);
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(ROOT + name, to);
    }
  }
}

test("Dockerfile has exactly the stages that these tests execute", () => {
  assert.deepEqual(all.map((stage) => stage.name ?? "final"), ["pages", "build", "final"]);
  assert.match(final.base, /^ghcr\.io\/spinframework\/spin:v4\.([1-9]|\d{2,})\.\d+-distroless$/);
  assert.deepEqual(step("USER").map(({ text }) => text), ["65532:65532"]);
});

test("pages are built from the build context alone", () => {
  const { steps } = all.find((stage) => stage.name === "pages");
  const folder = inside("/stages/pages");
  for (const { word, text } of steps) {
    if (word === "WORKDIR") mkdirSync(folder, { recursive: true });
    else if (word === "COPY") copyContext(copy(text), folder);
    else if (exec(text).join(" ") === "npm ci") symlinkSync(`${ROOT}node_modules`, join(folder, "node_modules"));
    else {
      const [program, ...rest] = exec(text);
      const done = spawnSync(program, rest, { cwd: folder, encoding: "utf8" });
      assert.equal(done.status, 0, done.stderr);
    }
  }
  assert.ok(existsSync(join(folder, "web/pages/vendor/swagger-ui.css")));
});

test("build context contains all sources of the workspace", () => {
  const { steps } = all.find((stage) => stage.name === "build");
  const folder = inside("/stages/build");
  mkdirSync(folder, { recursive: true });
  for (const { word, text } of steps) if (word === "COPY") copyContext(copy(text), folder);
  const known = spawnSync("cargo", ["metadata", "--no-deps", "--offline", "--format-version", "1"], {
    cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024,
  });
  assert.equal(known.status, 0, known.stderr);
  const packages = JSON.parse(known.stdout).packages.map(({ name }) => name);
  const wanted = steps
    .filter(({ word, text }) => word === "RUN" && text.includes('"cargo"'))
    .flatMap(({ text }) => exec(text).filter((_, index, words) => words[index - 1] === "--package"));
  assert.deepEqual(wanted, ["api-component", "worker-component", "handler-adapter", "handler-adapter-progress", "launcher"]);
  for (const name of wanted) assert.ok(packages.includes(name), name);
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!/^(api-component|worker-component|models|crates\/(azure|service|guest|lifecycle|launcher))\/src\/.*\.rs$/.test(name)) continue;
    for (const [, path] of readFileSync(join(folder, name), "utf8").matchAll(/include_(?:bytes|str)!\("([^"]+)"\)/g)) {
      assert.ok(existsSync(join(folder, dirname(name), path)), `${name} includes ${path}`);
    }
  }
  // What the two cargo commands would leave behind.
  for (const component of ["api_component", "worker_component", "handler_adapter", "handler_adapter_progress"]) {
    const path = `target/wasm32-wasip2/release/${component}.wasm`;
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    copyFileSync(ROOT + path, join(folder, path));
  }
  mkdirSync(join(folder, "target/release"), { recursive: true });
  copyFileSync(`${BUILT}launcher`, join(folder, "target/release/launcher"));
});

test("both roles leave compiled code in the final stage", () => {
  mkdirSync(inside("/usr/local/bin"), { recursive: true });
  copyFileSync(process.env.ACCEPTED_SPIN ?? `${BUILT}host`, inside("/usr/local/bin/spin"));
  mkdirSync(inside("/app"), { recursive: true });
  const folders = { build: "/stages/build", pages: "/stages/pages" };
  const times = [];
  for (const { word, text } of final.steps) {
    if (word === "COPY") {
      const { from, sources, target } = copy(text);
      if (from === undefined) copyContext({ sources, target }, inside("/app"));
      for (const source of from === undefined ? [] : sources) {
        const file = inside(join(folders[from], source.replace(/^\/src\//, "")));
        const to = target.startsWith("/") ? inside(target) : inside(join("/app", target));
        cpSync(file, target.endsWith("/") ? join(to, source.split("/").at(-1)) : to, { recursive: true });
      }
      if (existsSync(inside("/app/compile-cache.toml"))) {
        const settings = readFileSync(inside("/app/compile-cache.toml"), "utf8");
        writeFileSync(inside("/app/compile-cache.toml"), settings.replace('"/app/', `"${image}/app/`));
      }
    } else if (word === "RUN") {
      times.push(JSON.parse(runInside(exec(text)).trim().split("\n").at(-1)).duration_ms);
    }
  }
  assert.equal(times.length, 2);
  const compiled = () => contents(inside("/app/compile-cache")).filter((line) => /wasmtime-[^/]+\/[^/.]+ /.test(line));
  const kept = compiled();
  assert.ok(kept.length >= 2, kept.join("\n"));
  // Once more: what is there is used, or it would be written again.
  const again = step("RUN").map(({ text }) => JSON.parse(runInside(exec(text)).trim().split("\n").at(-1)).duration_ms);
  assert.deepEqual(compiled(), kept);
  console.log(`# until healthy, compiling: api ${times[0]} ms, worker ${times[1]} ms; from the cache: ${again.join(" ms, ")} ms`);
});

test("API serves unprivileged on a read-only file system", async () => {
  writable(image, false);
  const before = contents(image);
  const command = [...exec(step("ENTRYPOINT")[0].text), ...exec(step("CMD")[0].text)];
  assert.notEqual(healthCheck(), 0, "nothing runs yet");
  const api = startInside(command, { SPIN_VARIABLE_STORAGE_CONNECTION_STRING: "UseDevelopmentStorage=true" });
  await until("the API is healthy", api, () => healthCheck() === 0);
  assert.equal((await get("/healthz")).status, 200);
  assert.match(await (await get("/")).text(), /<title>/);
  const page = await (await get("/swagger")).text();
  const asset = /[\w./-]*swagger-ui\.css/.exec(page)[0];
  assert.equal((await get(new URL(asset, "http://x/swagger").pathname)).status, 200, "web/pages/vendor is mounted");
  assert.equal((await get("/drain")).status, 404, "the worker's route is not here");
  assert.equal(await ended(api), 0, api.output);
  assert.deepEqual(contents(image), before, "nothing was written outside /tmp");
});

test("worker drains with the arguments of the infrastructure", async () => {
  const before = contents(image);
  const command = [...exec(step("ENTRYPOINT")[0].text), ...commandLine("worker")];
  const worker = startInside(command, { SPIN_VARIABLE_STORAGE_CONNECTION_STRING: "UseDevelopmentStorage=true" });
  await until("the worker is healthy", worker, () => healthCheck() === 0);
  await until("its probe succeeds", worker, async () => (await get("/healthz", 9090))?.status === 200);
  // There is no storage; the drain route is reached with the right token all the same, and says so.
  await until("a drain was tried", worker, () => /refused to drain|drained|nothing to drain/.test(worker.output));
  assert.doesNotMatch(worker.output, /"status":(401|403|404)/);
  assert.equal((await get("/drain", 3000, "POST")).status, 401, "a stranger is refused");
  assert.equal(await ended(worker), 0, worker.output);
  assert.deepEqual(contents(image), before, "nothing was written outside /tmp");
});
