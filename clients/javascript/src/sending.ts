/** One request with its attempts: what to send in, the JSON of the answer out. */

import { NoAnswerError, ProblemError } from "./errors.js";
import type { Problem } from "./types.js";

/** How often and how patiently a call is repeated. Every call may be: events have ids, changes say what is to be. */
export interface Retries {
  /** With the first one. */
  attempts: number;
  /** Milliseconds; doubled with each attempt, with some chance in it. */
  firstWait: number;
  /** Milliseconds. Where the API asks for a longer wait (`Retry-After`), the error is thrown at once. */
  longestWait: number;
}

export interface Sender {
  fetch: typeof fetch;
  headers: Record<string, string>;
  /** Milliseconds, of each attempt. */
  timeout: number;
  retries: Retries;
  wait: (milliseconds: number) => Promise<void>;
}

export interface Outgoing {
  method: string;
  url: string;
  body?: unknown;
  keepalive?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

const WORTH_ASKING_AGAIN = new Set([429, 502, 503, 504]);

/** Throws: NoAnswerError, ProblemError; what `signal` was aborted with. */
export async function send(sender: Sender, outgoing: Outgoing): Promise<unknown> {
  const requestId = randomId();
  for (let attempt = 1; ; attempt++) {
    const outcome = await attemptOnce(sender, outgoing, requestId);
    const milliseconds = waitBefore(sender.retries, attempt, outcome);
    if (milliseconds === undefined) return answerOf(outcome, outgoing, requestId);
    await sender.wait(milliseconds);
  }
}

/** 128 random bits. Not `crypto.randomUUID`, which pages without TLS do not have. */
export function randomId(): string {
  const bytes = new Uint8Array(16);
  if (globalThis.crypto === undefined) bytes.forEach((_, place) => (bytes[place] = Math.random() * 256)); // Node 18
  else crypto.getRandomValues(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

type Outcome = { response: Response; text: string } | { failure: unknown };

async function attemptOnce(sender: Sender, outgoing: Outgoing, requestId: string): Promise<Outcome> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new Error(`no answer within ${sender.timeout} ms`)), sender.timeout);
  const abort = () => timeout.abort(outgoing.signal?.reason);
  outgoing.signal?.throwIfAborted();
  outgoing.signal?.addEventListener("abort", abort);
  const init: RequestInit = {
    method: outgoing.method,
    headers: { ...sender.headers, "X-Request-ID": requestId },
    signal: timeout.signal,
  };
  if (outgoing.keepalive) init.keepalive = true;
  if (outgoing.body !== undefined) {
    init.body = JSON.stringify(outgoing.body);
    init.headers = { ...init.headers, "Content-Type": "application/json" };
  }
  try {
    const response = await sender.fetch(outgoing.url, init);
    return { response, text: await response.text() };
  } catch (failure) {
    outgoing.signal?.throwIfAborted();
    return { failure };
  } finally {
    clearTimeout(timer);
    outgoing.signal?.removeEventListener("abort", abort);
  }
}

/** Milliseconds until the next attempt; undefined: there is none. */
function waitBefore(retries: Retries, attempt: number, outcome: Outcome): number | undefined {
  if (attempt >= retries.attempts) return undefined;
  const longest = Math.min(retries.firstWait * 2 ** (attempt - 1), retries.longestWait);
  const wait = longest * (0.5 + Math.random() / 2);
  if ("failure" in outcome) return wait;
  if (!WORTH_ASKING_AGAIN.has(outcome.response.status)) return undefined;
  const asked = retryAfter(outcome.response);
  if (asked === undefined) return wait;
  return asked * 1000 <= retries.longestWait ? asked * 1000 + wait : undefined;
}

function answerOf(outcome: Outcome, outgoing: Outgoing, requestId: string): unknown {
  const what = `${outgoing.method} ${outgoing.url}`;
  if ("failure" in outcome) {
    const reason = outcome.failure instanceof Error ? outcome.failure.message : String(outcome.failure);
    throw new NoAnswerError(`${what}: ${reason}`, requestId, { cause: outcome.failure });
  }
  const { response, text } = outcome;
  const found = parsed(text);
  if (response.ok && found !== undefined) return found;
  throw new ProblemError(isProblem(found) ? found : ofAnother(response, text, requestId), retryAfter(response));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(found: unknown): found is Problem {
  return typeof found === "object" && found !== null && "status" in found && "detail" in found;
}

/** What a proxy in between said, or something else that is not the API. */
function ofAnother(response: Response, text: string, requestId: string): Problem {
  return {
    type: "about:blank",
    title: response.statusText,
    status: response.status,
    detail: `expected JSON of the API, found ${text.slice(0, 200)}`,
    instance: response.url,
    request_id: requestId,
  };
}

/** Seconds; a date counts as nothing. */
function retryAfter(response: Response): number | undefined {
  const said = response.headers.get("Retry-After") ?? "";
  return /^\d+$/.test(said) ? Number(said) : undefined;
}
