// A gateway that is reached below a path and takes that path away before it passes requests on.

import { createServer, request } from "node:http";

export const PREFIX = "/jobs/v1";

/**
 * Starts it; `to(url)` says where requests go. What is asked for outside of the prefix is 404 and kept in `beside`: an
 * address that leads beside the gateway.
 */
export async function startGateway() {
  let target;
  const beside = [];
  const server = createServer((incoming, outgoing) => {
    if (incoming.url !== PREFIX && !incoming.url.startsWith(`${PREFIX}/`)) {
      beside.push(`${incoming.method} ${incoming.url}`);
      outgoing.writeHead(404).end();
      return;
    }
    const path = incoming.url.slice(PREFIX.length) || "/";
    const onward = request(new URL(path, target), { method: incoming.method, headers: incoming.headers }, (response) => {
      outgoing.writeHead(response.statusCode, response.headers);
      response.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    url: `${origin}${PREFIX}`,
    beside,
    to: (url) => (target = url),
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
