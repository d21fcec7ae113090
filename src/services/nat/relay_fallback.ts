/**
 * Goes back to a relay when a direct session that was sought falls silent: the hole it went through has
 * closed. From there the upgrader tries again.
 */
import { idToHex } from "../../base/mod.ts";
import type { DirectConnector, MeshTransport, PathReport } from "../../core/transport/mod.ts";
import type { Log } from "../../observe/mod.ts";

/** What {@linkcode RelayFallback} needs. */
export interface RelayFallbackDeps {
  readonly log: Log;
  readonly transport: Pick<MeshTransport, "onSuspicion">;
  readonly connector: Pick<DirectConnector, "fallBack">;
}

/** Peers watched: 1,024 × about 50 B; the one watched longest makes room. */
const WATCHED_MAX = 1_024;

/** Watches peers that were reached without a relay. */
export class RelayFallback {
  readonly #deps: RelayFallbackDeps;
  readonly #watched = new Set<bigint>();
  readonly #abort = new AbortController();
  #unsubscribe = () => {};

  constructor(deps: RelayFallbackDeps) {
    this.#deps = deps;
  }

  /** Begins to listen. */
  start(): void {
    this.#unsubscribe = this.#deps.transport.onSuspicion((peer, isSuspected) => {
      if (isSuspected && this.#watched.delete(peer)) void this.#fallBack(peer);
    });
  }

  /** Ends; what is under way is given up. */
  stop(): void {
    this.#unsubscribe();
    this.#abort.abort();
  }

  /** Watches the peer of a report, if it was reached directly. */
  watch({ peer, outcome }: PathReport): void {
    if (outcome !== "direct") return;
    this.#watched.delete(peer);
    if (this.#watched.size >= WATCHED_MAX) {
      const [oldest] = this.#watched;
      if (oldest !== undefined) this.#watched.delete(oldest);
    }
    this.#watched.add(peer);
  }

  async #fallBack(peer: bigint): Promise<void> {
    const { log, connector } = this.#deps;
    const { signal } = this.#abort;
    try {
      const isBack = await connector.fallBack(peer, signal);
      log.info(isBack ? "peer_relayed_again" : "peer_direct_lost", { peer: idToHex(peer) });
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("peer_direct_lost", { peer: idToHex(peer), reason });
    }
  }
}
