// A task handler whose tasks do what a test needs: take their time, fail, or leave a large result.

import { createServer } from "node:http";

import { sleep } from "./app.mjs";

async function slow(response, input) {
  await sleep(input?.milliseconds ?? 2_000);
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ slept: true, input }));
}

// Whether tasks named busy are told to come again.
let busy = true;

function respond(name, response, input) {
  if (name === "busy" && busy) return response.writeHead(503, { "content-type": "text/plain" }).end("Come again.");
  if (name === "slow") return slow(response, input);
  if (name === "fail") return response.writeHead(422, { "content-type": "text/plain" }).end("The report has no month.");
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  return response.end("All work and no play.\n".repeat(20_000));
}

/** Starts it; the Spin variables that route tasks named slow, fail, large and busy to it, and how to stop it. */
export async function startHandler() {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { name, input } = JSON.parse(body);
    await respond(name, response, input);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    variables: {
      handler_hosts: url,
      task_handlers: JSON.stringify({ slow: `${url}/`, fail: `${url}/`, large: `${url}/`, busy: `${url}/` }),
    },
    recover: () => (busy = false),
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
