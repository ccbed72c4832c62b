// Requests to the API: one place that adds the key, reads problem documents and sets time limits.

const KEY = "accepted.key";
const LIMIT_MS = 30_000;
// Where the API is: above this script, whatever a gateway puts in front.
const ROOT = new URL("..", import.meta.url);

/**
 * Tells the page about `unauthorized` (detail: the problem), `authorized` (a request succeeded) and `contact`
 * (detail: whether the API responded).
 */
export const bus = new EventTarget();

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** A response that is an error, or no response at all (status 0). */
export class Problem extends Error {
  constructor(status, document, retryAfter) {
    super(document.detail || document.title || `The API responded ${status}.`);
    this.status = status;
    this.title = document.title || "";
    this.type = document.type || "";
    this.traceId = document.traceId;
    this.retryAfter = retryAfter;
  }

  /** Whether a key is what is missing or wrong. A platform that signs callers in refuses with other words. */
  get wantsKey() {
    return this.status === 401 && /\bkey\b/.test(this.message);
  }

  /** What happened or what to do, for a reader of the page; with the trace id to quote unless the reader can help themselves. */
  get sentence() {
    if (this.wantsKey) return key.get() ? "The API does not know this key. Enter another one (top right)." : "Enter the API key (top right).";
    if (this.type.endsWith("operators-only")) return "Only operators can see and do this.";
    const wait = this.retryAfter ? ` Try again in ${this.retryAfter} s.` : "";
    return this.message + wait + (this.traceId ? ` (trace ${this.traceId})` : "");
  }
}

function tell(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}

/** The same response when its body has arrived, so that reading it cannot fail any more. */
async function whole(response) {
  const content = await response.arrayBuffer();
  return new Response(content.byteLength ? content : null, response);
}

/**
 * Sends a request; resolves for 2xx and 304, otherwise throws a Problem. The time limit includes the body of the
 * response, unless it is a `large` one.
 */
export async function send(method, path, { body, headers = {}, large = false } = {}) {
  const secret = key.get();
  if (secret) headers["api-key"] = secret;
  if (body !== undefined) headers["content-type"] = "application/json";
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), LIMIT_MS);
  let response;
  try {
    response = await fetch(at(path), { method, body, headers, cache: "no-store", signal: limit.signal });
    if (!large || !response.ok) response = await whole(response);
  } catch {
    tell("contact", false);
    throw new Problem(0, { detail: "The API cannot be reached." });
  } finally {
    clearTimeout(timer);
  }
  tell("contact", true);
  if (response.ok || response.status === 304) {
    tell("authorized");
    return response;
  }
  const document = await response.json().catch(() => ({}));
  const problem = new Problem(response.status, document, Number(response.headers.get("retry-after")) || 0);
  if (response.status === 401) tell("unauthorized", problem);
  throw problem;
}

/** The address of what is at `path` of the API. `./`, because what is before a colon would be taken for a scheme. */
export const at = (path) => new URL(`./${path.replace(/^\//, "")}`, ROOT).href;

/** The same list as `address` has it, so that a link made for another host name or prefix stays on this one. */
export const sameList = (address) => `/tasks${new URL(address, ROOT).search}`;

export const taskPath = (id) => `/tasks/${encodeURIComponent(id)}`;

/** The id of a task in the fragment of an address, as the API writes it: programs also write it in upper case or without hyphens. */
export function idIn(fragment) {
  const digits = fragment.slice(1).replaceAll("-", "").toLowerCase();
  const groups = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(digits);
  return groups?.slice(1).join("-");
}

/** Parses JSON so that numbers which a double cannot hold are shown, and sent on, as they were written. */
export const parse = (text) =>
  JSON.parse(text, (_, value, context) => {
    const exact = typeof value !== "number" || !context?.source || !JSON.rawJSON || String(value) === context.source;
    return exact ? value : JSON.rawJSON(context.source);
  });
