/**
 * Calls of a node as they end, told to the programs that watch (`nrpc.md` 15): the node has one observer, which
 * hands events to all of them. Who reads slowly misses some, and is told how many.
 */
import { idToHex } from "../../base/mod.ts";
import type { RpcMetrics, RpcObserverEvent } from "../../rpc/mod.ts";
import type { CallContext } from "../method.ts";

/** Events that wait for one watcher; about 1 MB. */
export const WATCHED_EVENTS_MAX = 4_096;
/** Events of one message. */
const BATCH_EVENTS_MAX = 256;

/** What a watcher wants to hear of. */
export interface WatchParams {
  readonly service?: string | undefined;
  readonly direction?: "inbound" | "outbound" | undefined;
  /** Events until it ends; without a limit when left out. */
  readonly count?: number | undefined;
}

interface Watcher {
  readonly params: WatchParams;
  readonly waiting: RpcObserverEvent[];
  dropped: number;
  wake: (() => void) | undefined;
}

/** Everybody who watches a node's calls. */
export class RpcWatch {
  readonly #metrics: () => Pick<RpcMetrics, "observe">;
  readonly #stopSignal: AbortSignal;
  readonly #watchers = new Set<Watcher>();

  /**
   * @param metrics Asked for when the first one watches.
   * @param stopSignal Aborted when the node begins to stop.
   */
  constructor(metrics: () => Pick<RpcMetrics, "observe">, stopSignal: AbortSignal) {
    this.#metrics = metrics;
    this.#stopSignal = stopSignal;
  }

  /** Programs that watch now. */
  get count(): number {
    return this.#watchers.size;
  }

  /** Tells of calls until the program leaves, or so many were told. */
  async watch(params: WatchParams, context: CallContext): Promise<object> {
    const signal = AbortSignal.any([context.signal, this.#stopSignal]);
    const watcher: Watcher = { params, waiting: [], dropped: 0, wake: undefined };
    const onAbort = () => watcher.wake?.();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#add(watcher);
    let told = 0;
    try {
      await context.send({ watching: true });
      const countMax = params.count ?? Infinity;
      while (told < countMax) {
        signal.throwIfAborted();
        const events = watcher.waiting.splice(0, Math.min(BATCH_EVENTS_MAX, countMax - told));
        if (events.length === 0) await new Promise<void>((resolve) => watcher.wake = resolve);
        else {
          told += events.length;
          await context.send({ events: events.map(describeEvent), dropped: watcher.dropped });
        }
      }
      return { told, dropped: watcher.dropped };
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#remove(watcher);
    }
  }

  #add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#metrics().observe((event) => this.#tell(event));
  }

  #remove(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size === 0) this.#metrics().observe(undefined);
  }

  #tell(event: RpcObserverEvent): void {
    for (const watcher of this.#watchers) {
      const { service, direction } = watcher.params;
      if (service !== undefined && service !== event.method) continue;
      if (direction !== undefined && direction !== event.direction) continue;
      if (watcher.waiting.length >= WATCHED_EVENTS_MAX) watcher.dropped += 1;
      else watcher.waiting.push(event);
      watcher.wake?.();
    }
  }
}

function describeEvent(event: RpcObserverEvent): object {
  const { kind } = event.status;
  return {
    ...event,
    caller: idToHex(event.caller),
    callee: idToHex(event.callee),
    status: kind,
    message: event.status.kind === "error" ? event.status.message : null,
  };
}
