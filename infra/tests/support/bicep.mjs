// Evaluates the few expressions that this project's Bicep uses where tests look. Names that have no value here
// (parameters, other resources) stay as they are.

import { trees } from "./tools.mjs";

/** The value of an expression of a file: variables and string() and the product of numbers are worked out. */
export function value(file, expression) {
  const variables = trees()[file].variables ?? {};
  const evaluate = (node) => {
    if (typeof node === "string") return node in variables ? evaluate(variables[node].value) : node;
    if (Array.isArray(node)) return node.map(evaluate);
    if (node === null || typeof node !== "object") return node;
    if (node.function?.type === "string") return String(evaluate(node.function.parameters.value_to_convert));
    if (node.operator?.type === "multiply") {
      const { operand_1, operand_2 } = node.operator.operands;
      return evaluate(operand_1) * evaluate(operand_2);
    }
    return Object.fromEntries(Object.entries(node).map(([name, child]) => [name, evaluate(child)]));
  };
  return evaluate(expression);
}

/** The container app of a file, worked out. */
export const app = (file) => value(file, trees()[file].resources.app.config);

/** The one container of an app. */
export const container = (file) => app(file).properties.template.containers[0];

/** The arguments of its container. */
export const args = (file) => container(file).args;
