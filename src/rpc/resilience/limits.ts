/** Defaults and bounds of calls that are made again or elsewhere (`nrpc.md` 14). */

/** Attempts of a retried call, the first one included. */
export const RETRY_ATTEMPTS = 3;

/** Most attempts that a program may ask for. */
export const RETRY_ATTEMPTS_MAX = 100;

/** Milliseconds between the first two attempts. */
export const RETRY_DELAY_MS = 50;

/** Longest pause between two attempts in milliseconds. */
export const RETRY_DELAY_MS_MAX = 1_000;

/** Longest pause that a server may ask for, in milliseconds; a longer one counts as this. */
export const RETRY_AFTER_MS_MAX = 30_000;

/** Milliseconds between the starts of two hedged attempts. */
export const HEDGE_DELAY_MS = 50;

/** Attempts beside the first one. */
export const HEDGES = 1;

/** Nodes that one call asks at most, one after the other or at once. */
export const CANDIDATES_ASKED_MAX = 16;

/** Failures in a row that open a breaker. */
export const BREAKER_FAILURES = 5;

/** Successful probes in a row that close it again. */
export const BREAKER_SUCCESSES = 1;

/** Milliseconds that a breaker stays open. */
export const BREAKER_OPEN_MS = 30_000;

/** Milliseconds that a node may be silent, in a call without a deadline, before the next one is asked. */
export const SILENCE_MS = 5_000;
