/** The adapter that keeps nothing: counts what it is given. */
import { BusError } from "../error.ts";
import { eventCountOf } from "../packed_batch.ts";
import type { BusAdapter } from "../types.ts";

/** An adapter that takes everything and gives nothing back. */
export interface NoopAdapter extends BusAdapter {
  /** Events it was given. */
  readonly eventsTaken: number;
}

/** Creates an adapter for a bus whose events are wanted by nobody, or by a benchmark. */
export function createNoopAdapter(): NoopAdapter {
  let eventsTaken = 0;
  let isRunning = false;
  const requireRunning = () => {
    if (!isRunning) throw new BusError("fatal", "Cannot use adapter: it was stopped");
  };
  return {
    name: "noop",
    get eventsTaken() {
      return eventsTaken;
    },
    start: () => {
      isRunning = true;
      return Promise.resolve();
    },
    write: async (batch) => {
      requireRunning();
      await null;
      eventsTaken += eventCountOf(batch);
    },
    writeNow: (batch) => {
      requireRunning();
      eventsTaken += eventCountOf(batch);
      return true;
    },
    poll: async () => {
      requireRunning();
      return await Promise.resolve({ events: [], nextId: undefined, hasMore: false });
    },
    flush: async () => {
      await null;
      requireRunning();
    },
    stop: () => {
      isRunning = false;
      return Promise.resolve();
    },
    isHealthy: () => Promise.resolve(isRunning),
  };
}
