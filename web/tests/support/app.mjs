// The real application, started the way a person starts it: `cargo xtask up`.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
// The first start compiles.
const START_MS = 15 * 60_000;
const STOP_MS = 30_000;
const KEPT_CHARS = 20_000;

// What this file's tests have started; nothing outlives a run that is broken off.
const running = new Set();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    for (const pid of running) process.kill(-pid, signal);
    process.exit(1);
  });
}

/** A free port. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Starts the application with Spin variables of the test's own; resolves when it is ready.
 * ACCEPTED_XTASK names a built xtask to use instead of going through cargo, ACCEPTED_HOST the host to run under.
 */
export async function startApp(variables = {}) {
  const port = await freePort();
  const environment = { ...process.env };
  for (const [name, value] of Object.entries(variables)) environment[`SPIN_VARIABLE_${name.toUpperCase()}`] = value;
  const [program, ...first] = process.env.ACCEPTED_XTASK ? [process.env.ACCEPTED_XTASK] : ["cargo", "xtask"];
  const host = process.env.ACCEPTED_HOST ? ["--host", process.env.ACCEPTED_HOST] : [];
  const child = spawn(program, [...first, "up", ...host, "--listen", `127.0.0.1:${port}`], {
    cwd: ROOT,
    env: environment,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => (output = (output + data).slice(-KEPT_CHARS)));
  }
  running.add(child.pid);
  let ended = false;
  const exit = new Promise((resolve) => {
    child.on("error", (error) => resolve((ended = `it could not be started: ${error.message}`)));
    child.on("exit", (code, signal) => resolve((ended = `it ended with ${signal || code}`)));
  });
  const stop = async () => {
    // The whole group, as Ctrl-C in a terminal does.
    if (!ended) process.kill(-child.pid, "SIGINT");
    const late = sleep(STOP_MS).then(() => "late");
    if ((await Promise.race([exit, late])) === "late") process.kill(-child.pid, "SIGKILL");
    running.delete(child.pid);
  };
  const url = `http://127.0.0.1:${port}`;
  for (const end = Date.now() + START_MS; ; await sleep(200)) {
    if (ended) throw new Error(`the application did not start: ${ended}\n${output}`);
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok) return { url, stop, output: () => output };
    if (Date.now() > end) {
      await stop();
      throw new Error(`the application was not ready in time\n${output}`);
    }
  }
}

/** Submits a task over HTTP; the response's body. */
export async function submit(url, task, headers = {}) {
  const response = await fetch(`${url}/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(task),
  });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  return response.json();
}

/** Waits until a task has ended; the last monitor. */
export async function ended(url, id, headers = {}) {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const response = await fetch(`${url}/tasks/${id}`, { headers: { prefer: "wait=10", ...headers } });
    const task = await response.json();
    if (["Succeeded", "Failed", "Canceled"].includes(task.status)) return task;
  }
  throw new Error(`task ${id} has not ended`);
}
