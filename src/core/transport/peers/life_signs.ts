/** Signs of life: those this node gives its peers, and those it asks them for (`wire.md` 11, 13.1). */
import { type Clock, idToHex } from "../../../base/mod.ts";
import { requestReflex } from "../builtin_messages.ts";
import { NatError } from "../nat/mod.ts";
import type { Peer, PeerTable } from "./peers.ts";
import type { Pingwaves } from "../routing/pingwaves.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode LifeSigns} needs. */
export interface LifeSignsDeps {
  readonly clock: Clock;
  readonly peers: PeerTable;
  readonly pingwaves: Pingwaves;
}

/** Gives signs of life and asks for them. */
export class LifeSigns {
  readonly #deps: LifeSignsDeps;

  constructor(deps: LifeSignsDeps) {
    this.#deps = deps;
  }

  /** Gives the peer one; relays drop heartbeats (`wire.md` 9.2), so behind one it is asked for one. */
  give(peer: Peer): void {
    if (peer.relayTo !== undefined) {
      this.#ask(peer);
      return;
    }
    peer.session?.sendHeartbeat();
    this.#deps.pingwaves.sendRound(peer);
  }

  /** Asks the peer for one; any authentic answer counts. */
  ask(nodeId: bigint): void {
    const peer = this.#deps.peers.get(nodeId);
    if (peer !== undefined) this.#ask(peer);
  }

  /**
   * Asks the peer for one and waits.
   *
   * @returns Milliseconds until it came; `undefined` when it did not in time, or there is no session.
   */
  measure(nodeId: bigint, timeoutMs: number): Promise<number | undefined> {
    const peer = this.#deps.peers.get(nodeId);
    if (peer?.session === undefined) return Promise.resolve(undefined);
    this.#ask(peer);
    return new Promise((resolve) => {
      const onAnswer = (rttMs: number) => {
        cancel();
        resolve(rttMs);
      };
      (peer.onProbeAnswer ??= []).push(onAnswer);
      const cancel = this.#deps.clock.after(timeoutMs, () => {
        peer.onProbeAnswer = peer.onProbeAnswer?.filter((other) => other !== onAnswer);
        resolve(undefined);
      });
    });
  }

  /**
   * Asks the peer where it sees this node (`nrpc.md` 16).
   *
   * @throws NatError `peer-not-reachable` without a session, `reflex-timeout` without an answer in time,
   * `transport` when the answer is no address.
   */
  async queryReflex(nodeId: bigint, timeoutMs: number): Promise<SocketAddress> {
    const peer = this.#deps.peers.get(nodeId);
    const who = `Cannot learn the own address from node ${idToHex(nodeId)}`;
    if (peer?.session === undefined) {
      throw new NatError("peer-not-reachable", `${who}: no session with it`);
    }
    if (await this.measure(nodeId, timeoutMs) === undefined) {
      throw new NatError("reflex-timeout", `${who}: no answer within ${timeoutMs} ms`);
    }
    if (peer.reflex === undefined) {
      throw new NatError("transport", `${who}: what it answered is no address`);
    }
    return peer.reflex;
  }

  #ask(peer: Peer): void {
    if (peer.session === undefined) return;
    peer.probedAt = this.#deps.clock.now();
    requestReflex(peer.session);
  }
}
