// Copies the API reference's assets to web/pages/vendor, from where the component serves them: from node_modules here, or
// from the one in the folder that is given.

import { copyFileSync, existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const top = process.argv[2] ? pathToFileURL(`${process.argv[2]}/`) : new URL("..", import.meta.url);
const source = new URL("node_modules/swagger-ui-dist/", top);
const target = new URL("pages/vendor/", import.meta.url);
const files = ["LICENSE", "NOTICE", "swagger-ui.css", "swagger-ui-bundle.js"];

if (!existsSync(source)) {
  console.error(`${fileURLToPath(source)} is missing. Run 'npm ci' in the project's folder first.`);
  process.exit(1);
}
for (const file of files) {
  copyFileSync(new URL(file, source), new URL(file, target));
}
