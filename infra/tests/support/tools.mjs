// The Python tools of these tests, and what they say about the Bicep files.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { environment } from "../../../web/tests/support/python.mjs";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Where the native programs are that were built already; beside xtask, when xtask runs these tests. */
export const BUILT = process.env.ACCEPTED_XTASK ? `${dirname(process.env.ACCEPTED_XTASK)}/` : `${ROOT}target/debug/`;
const FROM = { requirements: `${ROOT}infra/tests/requirements.txt`, folder: `${ROOT}target/infra-venv/` };
// Making the parser's tables and the scanner's imports alone takes a minute on a busy machine.
const MINUTES = 10;

/** A file of the project, as text. */
export const read = (path) => readFileSync(`${ROOT}${path}`, "utf8");

/** Runs one of the tools to its end in the project's folder; its exit code and what it said. */
export function tool(program, ...args) {
  const done = spawnSync(`${environment(FROM)}${program}`, args, {
    cwd: ROOT,
    encoding: "utf8",
    timeout: MINUTES * 60_000,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { code: done.status, text: done.stdout, output: `${done.stdout}${done.stderr}${done.error?.message ?? ""}` };
}

/** The documents of YAML files, and what the schemas of their kinds find wrong. */
export function manifests(paths) {
  const { code, text, output } = tool("python", "infra/tests/manifests.py", ...paths);
  if (code !== 0) throw new Error(output);
  return JSON.parse(text);
}

/** The documents of YAML files of any kind. */
export function yaml(paths) {
  const script = "import sys, json, yaml; json.dump([yaml.safe_load(open(path)) for path in sys.argv[1:]], sys.stdout)";
  const { code, text, output } = tool("python", "-c", script, ...paths);
  if (code !== 0) throw new Error(output);
  return JSON.parse(text);
}

/** Paths of all Bicep files. */
export function bicepFiles() {
  return readdirSync(`${ROOT}infra`, { recursive: true })
    .filter((name) => name.endsWith(".bicep"))
    .map((name) => `infra/${name}`)
    .sort();
}

let parsed;

/** The parse tree of every Bicep file by its path. Kept under target/ until a file changes. */
export function trees() {
  if (parsed) return parsed;
  const paths = bicepFiles();
  const hash = createHash("sha256").update(read("infra/tests/parse.py"));
  for (const path of paths) hash.update(path).update(read(path));
  const folder = `${ROOT}target/infra-tests/`;
  const kept = `${folder}bicep-${hash.digest("hex").slice(0, 16)}.json`;
  if (!existsSync(kept)) {
    const { code, text, output } = tool("python", "infra/tests/parse.py", ...paths);
    if (code !== 0) throw new Error(`the Bicep files cannot be parsed:\n${output}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(kept, text);
  }
  return (parsed = JSON.parse(readFileSync(kept, "utf8")));
}
