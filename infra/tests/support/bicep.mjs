// Evaluates the few expressions that this project's Bicep uses where tests look. Names that have no value here
// (parameters, other resources) stay as they are.

import assert from "node:assert/strict";

import { trees } from "./tools.mjs";

/** The value of an expression of a file: variables, string(), the product of numbers and the fixed lists of concat() are worked out. */
export function value(file, expression) {
  const variables = trees()[file].variables ?? {};
  const evaluate = (node) => {
    if (typeof node === "string") return node in variables ? evaluate(variables[node].value) : node;
    if (Array.isArray(node)) return node.map(evaluate);
    if (node === null || typeof node !== "object") return node;
    if (node.function?.type === "string") return String(evaluate(node.function.parameters.value_to_convert));
    if (node.function?.type === "concat") {
      return Object.values(node.function.parameters).flatMap((list) => [evaluate(list)].filter(Array.isArray).flat());
    }
    if (node.operator?.type === "multiply") {
      const { operand_1, operand_2 } = node.operator.operands;
      return evaluate(operand_1) * evaluate(operand_2);
    }
    return Object.fromEntries(Object.entries(node).map(([name, child]) => [name, evaluate(child)]));
  };
  return evaluate(expression);
}

/** What a variable of a file comes to with these values of parameters; throws the sentence that ends a deployment. */
export function decide(file, name, given) {
  const variables = trees()[file].variables;
  const known = (word) => word in given || word in variables;
  const leaf = (word) => (word in given ? given[word] : word in variables ? decide(file, word, given) : word);
  const text = (word) => word.replace(/\$\{(\w+)\}/g, (whole, inner) => (known(inner) ? leaf(inner) : whole));
  const one = (node) => {
    if (typeof node === "string") return known(node) ? leaf(node) : text(node);
    if (node === null || typeof node !== "object") return node;
    if (node.operator) return flat(chain(node));
    const parameters = Object.values(node.function.parameters);
    switch (node.function.type) {
      case "empty": return one(parameters[0]).length === 0;
      case "int": return Number(one(parameters[0]));
      case "max": return Math.max(...parameters.map(one));
      case "json": throw new Error(one(parameters[0]));
      default: throw new Error(`unknown function: ${node.function.type}`);
    }
  };
  // The parser knows no precedence: every operator has all that follows as its right side.
  const chain = (node) => {
    if (!node?.operator) return [node];
    const { type, operands } = node.operator;
    if (type === "conditional") return [...chain(operands.condition), "?", [operands.true_value, operands.false_value]];
    return [operands.operand_1, { type }, ...chain(operands.operand_2)];
  };
  const split = (words, type) => {
    const at = words.findIndex((word) => word?.type === type);
    return at < 0 ? [words] : [words.slice(0, at), ...split(words.slice(at + 1), type)];
  };
  const compare = {
    equals: (left, right) => left === right,
    greater_than_or_equals: (left, right) => left >= right,
    less_than_or_equals: (left, right) => left <= right,
    add: (left, right) => left + right,
  };
  const flat = (words) => {
    if (words.at(-2) === "?") return one(words.at(-1)[flat(words.slice(0, -2)) ? 0 : 1]);
    const both = split(words, "and");
    if (both.length > 1) return both.every(flat);
    if (words.length === 1) return one(words[0]);
    assert.equal(words.length, 3, "one operator at a time");
    return compare[words[1].type](one(words[0]), one(words[2]));
  };
  return one(variables[name].value);
}

/** The container app of a file, worked out. */
export const app = (file) => value(file, trees()[file].resources.app.config);

/** The one container of an app. */
export const container = (file) => app(file).properties.template.containers[0];

/** The arguments of its container. */
export const args = (file) => container(file).args;
