// Copies the API reference's assets from node_modules to web/pages/vendor, from where the component serves them.

import { copyFileSync, existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const source = new URL("../node_modules/swagger-ui-dist/", import.meta.url);
const target = new URL("pages/vendor/", import.meta.url);
const files = ["LICENSE", "NOTICE", "swagger-ui.css", "swagger-ui-bundle.js"];

if (!existsSync(source)) {
  console.error("node_modules/swagger-ui-dist is missing. Run `npm ci` in the project's folder first.");
  process.exit(1);
}
for (const file of files) {
  const to = new URL(file, target);
  copyFileSync(new URL(file, source), to);
  console.log(`${fileURLToPath(to)}: ${statSync(to).size} bytes`);
}
