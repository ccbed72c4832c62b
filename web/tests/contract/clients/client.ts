// Submits a task, waits for its end and reads its result, with nothing but what is generated for TypeScript. Prints what
// it found.

import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

type Task = components["schemas"]["Monitor"];

const baseUrl = process.argv[2];
type Problem = "application/problem+json";
const client = createClient<paths, "application/json" | Problem>({ baseUrl });
const files = createClient<paths, "application/octet-stream" | Problem>({ baseUrl });

function found<T>(response: { data?: T; error?: { title: string } }): T {
  if (response.data === undefined) throw new Error(response.error?.title ?? "no content");
  return response.data;
}

let task: Task = found(
  await client.POST("/tasks", {
    body: { TaskName: "text-statistics", Priority: "High", Input: "to be or not to be", MaxAttempts: 2 },
  }),
);
while (task.status === "NotStarted" || task.status === "Running") {
  const params = { path: { id: task.id }, header: { Prefer: "wait=10" } };
  task = found(await client.GET("/tasks/{id}", { params }));
}
const result = found(await files.GET("/tasks/{id}/result", { params: { path: { id: task.id } }, parseAs: "text" }));

const batch = found(await client.POST("/tasks:batch", { body: { tasks: [{ TaskName: "checksum", Input: "x" }, { TaskName: "" }] } }));
const name = "from-typescript";
const body = { Interval: "PT1H", Overlap: "Skip" as const, Task: { TaskName: "checksum", Input: "x" } };
const stored = found(await client.PUT("/schedules/{name}", { params: { path: { name }, header: { "If-None-Match": "*" } }, body }));
const due: string | undefined = stored.nextFirings[0];
await client.DELETE("/schedules/{name}", { params: { path: { name } } });

const unknown = await client.GET("/tasks/{id}", { params: { path: { id: "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b" } } });

console.log(
  JSON.stringify({
    status: task.status,
    words: JSON.parse(result).words,
    batch: batch.value.map((outcome) => outcome.status),
    schedule: due === undefined ? "never due" : stored.status,
    problem: unknown.error?.type,
  }),
);
