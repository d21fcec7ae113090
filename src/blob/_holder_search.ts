/**
 * Holders beyond the connected peers: asks who is known to hold something and gets a session with some of
 * them (`promises.md` D3). What knows them stands above; here is only the interface.
 */
import { type Clock, idToHex, toNetError } from "../base/mod.ts";
import type { MeshLink } from "../core/transport/mod.ts";
import type { Log } from "../observe/mod.ts";
import type { HolderBook } from "./_holder_book.ts";
import { FOUND_HOLDERS_MAX, SEARCH_MS } from "./limits.ts";
import type { TransferCounters } from "./transfer_counters.ts";

/** Knows who holds a blob or a chunk, best first. */
export interface HolderFinder {
  /** Nodes said to hold what has this hash; may go on for a while, and ends with the signal. */
  holdersOf(hash: Uint8Array, signal: AbortSignal): AsyncIterable<bigint>;
}

/** What {@linkcode HolderSearch} needs. */
export interface HolderSearchDeps {
  readonly link: MeshLink;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: TransferCounters;
  readonly finder?: HolderFinder;
  readonly reach?: (peer: bigint, signal?: AbortSignal) => Promise<void>;
}

/** Finds and reaches holders. */
export class HolderSearch {
  readonly #deps: HolderSearchDeps;
  /** Who knows them; set later where that starts later. */
  finder: HolderFinder | undefined;

  constructor(deps: HolderSearchDeps) {
    this.#deps = deps;
    this.finder = deps.finder;
  }

  /**
   * Looks for holders of any of `hashes` and connects to those that are not connected. Takes no longer than
   * `SEARCH_MS`, and ends early with the first that can be asked.
   *
   * @param book Told of every holder that can be asked.
   * @returns How many can be asked that were not connected before.
   * @throws The reason of `signal` only.
   */
  async bring(
    hashes: readonly Uint8Array[],
    connected: readonly bigint[],
    book: HolderBook | undefined,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { clock, counters, link, reach } = this.#deps;
    const { finder } = this;
    if (finder === undefined) return 0;
    const abort = new AbortController();
    const onAbort = () => abort.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const cancelTimer = clock.after(SEARCH_MS, () => abort.abort());
    const seen = new Set<bigint>(connected).add(link.nodeId);
    const reaching: Promise<void>[] = [];
    let reached = 0;
    const bringOne = async (peer: bigint) => {
      try {
        await reach?.(peer, abort.signal);
        if (!link.connectedPeers().includes(peer)) return;
        reached += 1;
        counters.holders_reached_total += 1;
        book?.noteHolder(peer);
      } catch (error) {
        const { message } = toNetError(error, "Cannot reach holder");
        this.#deps.log.debug("holder_not_reached", { peer: idToHex(peer), reason: message });
      }
    };
    try {
      for (const hash of hashes) {
        for await (const peer of untilAborted(finder.holdersOf(hash, abort.signal), abort.signal)) {
          if (seen.has(peer)) continue;
          seen.add(peer);
          counters.holders_found_total += 1;
          reaching.push(bringOne(peer));
          if (reaching.length >= FOUND_HOLDERS_MAX) break;
        }
        if (reaching.length > 0) break;
      }
      await Promise.race([Promise.all(reaching), whenAborted(abort.signal)]);
    } finally {
      cancelTimer();
      signal?.removeEventListener("abort", onAbort);
      abort.abort();
    }
    signal?.throwIfAborted();
    return reached;
  }
}

/** Ends with the signal, also when the source does not heed it. */
async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const aborted = whenAborted(signal).then(() => ({ done: true, value: undefined } as const));
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Not awaited: a source that hangs must not hang us.
    iterator.return?.()?.catch(() => {});
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
