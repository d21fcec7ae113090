/** Flush and shutdown: what they wait for, and for how long at most (`storage.md` 2.3). */
import type { Clock } from "../../base/mod.ts";
import type { BusConfig } from "./config.ts";
import { type DispatchDeps, toBusError, withTimeout } from "./dispatch.ts";
import { BusError } from "./error.ts";
import { FLUSH_BATCHES_MS, FLUSH_RINGS_MS } from "./limits.ts";
import type { Shard } from "./shard.ts";

/**
 * Waits until what the shards took before this call was handed over, then has the adapter flush.
 *
 * @throws BusError `transient` when that takes longer than 5 s and the time of the batches; the adapter's error
 * when it refused a batch, or its flush failed.
 */
export async function flushShards(
  { clock, adapter }: DispatchDeps,
  config: BusConfig,
  shards: readonly Shard[],
): Promise<void> {
  const handedOver = Promise.all(shards.map((shard) => shard.flush()));
  const batchesMs = Math.min(config.batch.delayMaxMs * shards.length, FLUSH_BATCHES_MS);
  const limitMs = FLUSH_RINGS_MS + batchesMs;
  if (!await isDoneWithin(clock, limitMs, handedOver)) {
    throw new BusError(
      "transient",
      `Cannot flush: the adapter did not take all events within ${limitMs} ms`,
      { next: "look at the engine behind the bus, then flush again" },
    );
  }
  const refused = (await handedOver).find((failure) => failure !== undefined);
  if (refused !== undefined) {
    throw new BusError(refused.kind, `Cannot flush: events were lost: ${refused.message}`, {
      cause: refused,
      next: refused.next,
    });
  }
  await withTimeout(clock, config.adapterTimeoutMs, undefined, "flush", (signal) => {
    return adapter.flush(signal);
  });
}

/** Flushes and stops the adapter, each within the adapter's time; what failed first. */
export async function endAdapter(
  { clock, adapter }: DispatchDeps,
  { adapterTimeoutMs }: BusConfig,
  isFlushed: boolean,
): Promise<BusError | undefined> {
  let failure: BusError | undefined;
  const attempt = async (what: string, call: (signal: AbortSignal) => Promise<void>) => {
    try {
      await withTimeout(clock, adapterTimeoutMs, undefined, what, call);
    } catch (error) {
      failure ??= toBusError(error, `Cannot ${what} ${adapter.name}`);
    }
  };
  if (isFlushed) await attempt("flush", (signal) => adapter.flush(signal));
  await attempt("stop", () => adapter.stop());
  return failure;
}

/** True when the promise is settled by then; throws what it throws. */
export async function isDoneWithin(
  clock: Clock,
  limitMs: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  let cancel = () => {};
  const late = new Promise<false>((resolve) => {
    cancel = clock.after(limitMs, () => resolve(false));
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    cancel();
  }
}
