/**
 * Peers that calls wait for. Nothing else notices within two session timeouts that one of them is gone when
 * nothing is on its way to it: so it is asked for a sign of life, and given up when there is none.
 */
import type { Clock } from "../../base/mod.ts";
import type { RpcTransport } from "./rpc_parts.ts";
import { SILENCE_ASK_SHARE, SILENCE_END_SHARE, SILENCE_LOOK_SHARE } from "./limits.ts";

/** What {@linkcode SilenceWatch} needs. */
export interface SilenceWatchDeps {
  readonly clock: Pick<Clock, "after">;
  readonly transport: Pick<RpcTransport, "peer" | "probe">;
}

/** Watches peers. */
export class SilenceWatch {
  readonly #deps: SilenceWatchDeps;
  readonly #timeoutMs: number;
  readonly #handlers = new Map<bigint, Set<() => void>>();
  #cancel: (() => void) | undefined;

  /** @param timeoutMs The session timeout of the node. */
  constructor(deps: SilenceWatchDeps, timeoutMs: number) {
    this.#deps = deps;
    this.#timeoutMs = timeoutMs;
  }

  /** Peers that are watched. */
  get size(): number {
    return this.#handlers.size;
  }

  /** Calls back when a peer is silent for too long; the result stops that. */
  add(peer: bigint, onSilent: () => void): () => void {
    const handlers = this.#handlers.get(peer) ?? new Set();
    handlers.add(onSilent);
    this.#handlers.set(peer, handlers);
    this.#cancel ??= this.#arm();
    return () => {
      handlers.delete(onSilent);
      if (handlers.size === 0 && this.#handlers.get(peer) === handlers) this.#handlers.delete(peer);
    };
  }

  /** Watches nobody any more. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#handlers.clear();
  }

  #arm(): () => void {
    return this.#deps.clock.after(this.#timeoutMs * SILENCE_LOOK_SHARE, () => this.#look());
  }

  #look(): void {
    const { transport } = this.#deps;
    for (const [peer, handlers] of [...this.#handlers]) {
      const idleMs = transport.peer(peer)?.idleMs ?? Infinity;
      if (idleMs >= this.#timeoutMs * SILENCE_END_SHARE) {
        for (const onSilent of [...handlers]) onSilent();
      } else if (idleMs >= this.#timeoutMs * SILENCE_ASK_SHARE) transport.probe(peer);
    }
    this.#cancel = this.#handlers.size > 0 ? this.#arm() : undefined;
  }
}
