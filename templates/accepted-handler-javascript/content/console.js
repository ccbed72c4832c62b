// `console`, which QuickJS does not have. Each call writes a line to the standard error, which the host logs.

import stderr from "wasi:cli/stderr@0.2.3";

/** The longest write that WASI accepts, in bytes. */
const MAX_WRITE = 4096;

function write(...values) {
  const bytes = utf8(`${values.map(text).join(" ")}\n`);
  const stream = stderr.getStderr();
  for (let start = 0; start < bytes.length; start += MAX_WRITE) {
    stream.blockingWriteAndFlush(bytes.subarray(start, start + MAX_WRITE));
  }
}

function text(value) {
  if (value instanceof Error) {
    return `${value}\n${value.stack}`.trimEnd();
  }
  return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
}

/** QuickJS has no TextEncoder. */
function utf8(string) {
  return Uint8Array.from(unescape(encodeURIComponent(string.toWellFormed())), (byte) => byte.charCodeAt(0));
}

globalThis.console = { debug: write, error: write, info: write, log: write, warn: write };
