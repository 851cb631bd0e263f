export { Client, type CallOptions, type ClientOptions } from "./client.js";
export { NoAnswerError, ProblemError, RecsysError } from "./errors.js";
export type { Retries } from "./sending.js";
export { Tracker, type TrackerOptions } from "./tracker.js";
export type * from "./types.js";
