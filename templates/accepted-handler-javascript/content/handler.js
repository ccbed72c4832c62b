// The task handler `{{project-name | kebab_case}}`. It must be idempotent: after a crash the task runs again.

export const work = {
  async run(task) {
    const input = JSON.parse(task.input ?? "null");
    if (typeof input?.name !== "string") {
      // Any other exception is taken for a crash, and another attempt follows.
      throw { code: "invalid-input", message: "Input needs a name", retry: { tag: "never" } };
    }
    return { tag: "json", val: JSON.stringify({ greeting: `Hello, ${input.name}` }) };
  },
};
