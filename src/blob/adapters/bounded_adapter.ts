/**
 * An adapter of somebody else's, with a deadline for each call (`dataforts.md` 8): whatever it does, whoever calls
 * gets an answer.
 */
import type { Clock } from "../../base/mod.ts";
import { type AdapterCallOptions, type BlobAdapter, BlobAdapterError } from "./adapter.ts";

/** How long a call may take unless told otherwise. */
export const FOREIGN_CALL_MS = 30_000;

/** Options of {@linkcode boundAdapter}. */
export interface BoundAdapterOptions {
  readonly clock: Clock;
  /** Milliseconds for each call; 30 s when left out. */
  readonly deadlineMs?: number;
}

/**
 * The same adapter with a deadline. Its streams are not used: they have no end that could be waited for; blobs go
 * through it whole.
 */
export function boundAdapter(adapter: BlobAdapter, options: BoundAdapterOptions): BlobAdapter {
  const { clock, deadlineMs = FOREIGN_CALL_MS } = options;
  if (!(deadlineMs > 0)) {
    throw new RangeError(`Cannot bound adapter: deadline is ${deadlineMs} ms, must be above 0`);
  }
  const call = async <T>(
    action: string,
    { signal }: AdapterCallOptions = {},
    run: (options: AdapterCallOptions) => Promise<T>,
  ): Promise<T> => {
    signal?.throwIfAborted();
    const late = new AbortController();
    const { promise: outOfTime, reject } = Promise.withResolvers<never>();
    const cancel = clock.after(deadlineMs, () => {
      const error = new BlobAdapterError(
        "timeout",
        `${action}: adapter "${adapter.id}" did not answer within ${deadlineMs} ms`,
        { next: "see whether its store is reachable, or give it a longer deadline" },
      );
      late.abort(error);
      reject(error);
    });
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const signals = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    try {
      return await Promise.race([run({ signal: signals }), outOfTime]);
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  };
  return {
    id: adapter.id,
    schemes: adapter.schemes,
    store: (ref, bytes, given) =>
      call("Cannot store blob", given, (bound) => adapter.store(ref, bytes, bound)),
    fetch: (ref, given) => call("Cannot fetch blob", given, (bound) => adapter.fetch(ref, bound)),
    fetchRange: (ref, start, end, given) =>
      call("Cannot read blob", given, (bound) => adapter.fetchRange(ref, start, end, bound)),
    exists: (ref, given) =>
      call("Cannot look for blob", given, (bound) => adapter.exists(ref, bound)),
    delete: (ref, given) =>
      call("Cannot delete blob", given, (bound) => adapter.delete(ref, bound)),
  };
}
