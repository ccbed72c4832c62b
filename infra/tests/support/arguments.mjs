// The command lines that are deployed.

import { read } from "./tools.mjs";

/** By role: the launcher's own words and those of the host that it starts. */
export const COMMAND_LINES = JSON.parse(read("infra/arguments.json"));

/** What a container is given as its arguments. */
export const commandLine = (role) => [...COMMAND_LINES[role].launcher, "--", ...COMMAND_LINES[role].host];
