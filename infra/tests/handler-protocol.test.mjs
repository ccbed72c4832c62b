// docs/handler-protocol.schema.json describes what the worker sends and what docs/handlers.md shows.

import assert from "node:assert/strict";
import { test } from "node:test";

import { read, tool } from "./support/tools.mjs";

const SCHEMA = "docs/handler-protocol.schema.json";
const SCRIPT = `
import json, sys
import jsonschema
schema = json.load(open("${SCHEMA}", encoding="utf-8"))
jsonschema.Draft202012Validator.check_schema(schema)
found = []
for name, value in json.loads(sys.argv[1]):
    part = {"$defs": schema["$defs"], "$ref": "#/$defs/" + name}
    found.append([error.message for error in jsonschema.Draft202012Validator(part).iter_errors(value)])
json.dump(found, sys.stdout)
`;

/** What the schema finds wrong with each value, given with the name of its definition. */
function errors(values) {
  const { code, text, output } = tool("python", "-c", SCRIPT, JSON.stringify(values));
  assert.equal(code, 0, output);
  return JSON.parse(text);
}

test("request of the worker and the example of the document are valid", () => {
  const { headers, body } = JSON.parse(read("crates/worker/tests/drains/handler-request.json"));
  const example = read("docs/handlers.md").split("\n").find((line) => line.startsWith('{"id":'));
  assert.deepEqual(errors([["headers", headers], ["task", body], ["task", JSON.parse(example)]]), [[], [], []]);
});

test("lines and problems are valid exactly if the worker understands them", () => {
  const valid = [
    ["line", {}],
    ["line", { percentComplete: 50, message: "half" }],
    ["line", { percentComplete: null, message: null, result: null, error: null }],
    ["line", { result: [1] }],
    ["line", { error: { code: "NoPixels", message: "no", retryable: true, retryAfterSeconds: 5 } }],
    ["problem", { code: "Busy.1", detail: "later" }],
  ];
  assert.deepEqual(errors(valid), valid.map(() => []));
  const invalid = [
    ["line", []],
    ["line", { percentComplete: "half" }],
    ["line", { message: 1 }],
    ["problem", { code: "two words" }],
    ["task", { id: "1" }],
  ];
  for (const [index, found] of errors(invalid).entries()) assert.notEqual(found.length, 0, JSON.stringify(invalid[index]));
});
