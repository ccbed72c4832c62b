// A Python environment of the tests' own, under target/, with exactly the packages of requirements.txt.

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const REQUIREMENTS = path("../contract/requirements.txt");
const FOLDER = path("../../../target/contract-venv/");

/** The folder of the environment's programs; made on first use and whenever the requirements change. */
export function environment() {
  const wanted = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex");
  const stamp = `${FOLDER}installed`;
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    rmSync(FOLDER, { recursive: true, force: true });
    execFileSync("python3", ["-m", "venv", FOLDER], { stdio: "inherit" });
    const install = ["install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS];
    execFileSync(`${FOLDER}bin/pip`, install, { stdio: "inherit" });
    writeFileSync(stamp, wanted);
  }
  return `${FOLDER}bin/`;
}

/** Runs one of its programs to its end; exit code and everything it said. */
export function run(program, args, { milliseconds, cwd }) {
  const done = spawnSync(`${environment()}${program}`, args, {
    cwd,
    encoding: "utf8",
    timeout: milliseconds,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, NO_COLOR: "1", COLUMNS: "120" },
  });
  return { code: done.status, output: `${done.stdout}${done.stderr}${done.error ? `\n${done.error.message}` : ""}` };
}
