// A Python environment of the tests' own, under target/, with exactly the packages of requirements.txt.

import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
/** The environment of the contract tests. */
const CONTRACT = {
  requirements: path("../contract/requirements.txt"),
  folder: path("../../../target/contract-venv/"),
};

/** The folder of the environment's programs; made on first use and whenever the requirements change. */
export function environment({ requirements, folder } = CONTRACT) {
  const wanted = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const stamp = `${folder}installed`;
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    rmSync(folder, { recursive: true, force: true });
    execFileSync("python3", ["-m", "venv", folder], { stdio: "inherit" });
    const install = ["install", "--quiet", "--disable-pip-version-check", "--requirement", requirements];
    execFileSync(`${folder}bin/pip`, install, { stdio: "inherit" });
    writeFileSync(stamp, wanted);
  }
  return `${folder}bin/`;
}

/**
 * Runs one of its programs to its end; exit code and everything it said. The test goes on meanwhile: it may
 * have to serve what the program asks.
 */
export async function run(program, args, { milliseconds, cwd }) {
  const options = {
    cwd,
    timeout: milliseconds,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, NO_COLOR: "1", COLUMNS: "120" },
  };
  try {
    const { stdout, stderr } = await promisify(execFile)(`${environment()}${program}`, args, options);
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    if (error.stdout === undefined) throw error;
    return { code: error.code ?? error.signal, output: `${error.stdout}${error.stderr}` };
  }
}
