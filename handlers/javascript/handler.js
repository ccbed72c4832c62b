// A task handler in JavaScript: comma-separated values in `Input` become a list of objects.

export const work = {
  async run(task) {
    try {
      return { tag: "json", val: JSON.stringify(objects(JSON.parse(task.input ?? "null"))) };
    } catch (error) {
      if (error instanceof Unusable) {
        throw { code: "invalid-input", message: error.message, retry: { tag: "never" } };
      }
      // Uncaught, it would end the other tasks of this instance too, and its text would be lost.
      throw { code: "exception", message: String(error), retry: { tag: "backed-off" } };
    }
  },
};

class Unusable extends Error {}

function objects(text) {
  if (typeof text !== "string") {
    throw new Unusable("Input must be a text of comma-separated values");
  }
  const [names, ...rows] = text.split(/\r?\n/).filter((line) => line !== "").map(cells);
  return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? null])));
}

// RFC 4180 without line breaks in cells.
function cells(line) {
  const found = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return [...found].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
}
