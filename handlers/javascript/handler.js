// A task handler in JavaScript: comma-separated values in `Input` become a list of objects.

export const work = {
  async run(task) {
    const text = JSON.parse(task.input ?? "null");
    if (typeof text !== "string") {
      throw { code: "invalid-input", message: "Input must be a text of comma-separated values", retry: { tag: "never" } };
    }
    const [names, ...rows] = text.split(/\r?\n/).filter((line) => line !== "").map(cells);
    const objects = rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? null])));
    return { tag: "json", val: JSON.stringify(objects) };
  },
};

// RFC 4180 without line breaks in cells.
function cells(line) {
  const found = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return [...found].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
}
