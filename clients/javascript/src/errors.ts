/** What a call may reject with: every error is a `RecsysError`. */

import type { Problem } from "./types.js";

/** No usable answer. */
export class RecsysError extends Error {
  override name = "RecsysError";
}

/** Nobody answered at any attempt: not reached, broken off, too slow, or a browser that was not let through (CORS). */
export class NoAnswerError extends RecsysError {
  override name = "NoAnswerError";

  constructor(
    message: string,
    /** Under which the gateway logged the request, if it came that far. */
    readonly requestId: string,
    options: { cause: unknown },
  ) {
    super(message, options);
  }
}

/** The API answered with an error (RFC 9457). */
export class ProblemError extends RecsysError {
  override name = "ProblemError";

  constructor(
    /** All that the API said. */
    readonly problem: Problem,
    /** How long it asked to wait, in seconds; undefined: it did not say. */
    readonly retryAfter: number | undefined,
  ) {
    super(`${problem.status} ${problem.title}: ${problem.detail} (request ${problem.request_id})`);
  }

  get status(): number {
    return this.problem.status;
  }
}
