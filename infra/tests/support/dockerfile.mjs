// Reads a Dockerfile and a .dockerignore, as far as this project's go; what it does not know it refuses.

const KNOWN = ["ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "ENTRYPOINT", "HEALTHCHECK", "CMD"];

/** Stages in order, each `{ name, base, steps: [{ word, text }] }`, with ARGs filled in. */
export function stages(text) {
  const found = [];
  const values = {};
  const lines = text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("#"))
    .join("\n")
    .replace(/\\\n/g, " ");
  for (const line of lines.split("\n").filter((line) => line.trim())) {
    const [, word, raw] = /^(\S+)\s+(.*)$/.exec(line);
    if (!KNOWN.includes(word)) throw new Error(`unknown instruction: ${line}`);
    const rest = raw.replace(/\$\{(\w+)\}/g, (_, name) => values[name] ?? missing(name));
    if (word === "ARG") {
      const [name, value] = rest.split("=");
      if (value !== undefined) values[name] = value;
      else if (!(name in values)) missing(name);
    } else if (word === "FROM") {
      const [, base, name] = /^(\S+)(?: AS (\S+))?$/.exec(rest);
      found.push({ name, base, steps: [] });
    } else {
      found.at(-1).steps.push({ word, text: rest });
    }
  }
  return found;
}

function missing(name) {
  throw new Error(`ARG ${name} has no value`);
}

/** The command of an instruction in exec form. */
export function exec(text) {
  const command = JSON.parse(text.slice(text.indexOf("[")));
  if (!Array.isArray(command) || command.some((word) => typeof word !== "string")) throw new Error(`not exec form: ${text}`);
  return command;
}

/** `{ from, sources, target }` of a COPY. */
export function copy(text) {
  const words = text.split(/\s+/);
  const from = words[0].startsWith("--from=") ? words.shift().slice("--from=".length) : undefined;
  if (words[0].startsWith("--")) throw new Error(`unknown option: COPY ${text}`);
  const target = words.pop();
  return { from, sources: words, target };
}

/** Whether a path, relative to the context, is in the build context: the last rule that matches decides. */
export function included(ignore, path) {
  const rules = ignore.split("\n").filter((line) => line && !line.startsWith("#"));
  const parts = path.split("/");
  const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  let isIn = true;
  for (const rule of rules) {
    const isException = rule.startsWith("!");
    const pattern = expression(isException ? rule.slice(1) : rule);
    if (prefixes.some((prefix) => pattern.test(prefix))) isIn = isException;
  }
  return isIn;
}

function expression(pattern) {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*\*\//g, "\0")
    .replace(/\*/g, "[^/]*")
    .replace(/\0/g, "(?:.*/)?");
  return new RegExp(`^${source}$`);
}
