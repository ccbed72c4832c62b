// What is compiled: the handler, with `console` in place before it starts. `npm test` uses the `console` of Node.js.

import "./console.js";

export { work } from "./handler.js";
