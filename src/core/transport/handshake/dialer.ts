/**
 * Keeps sessions with the peers this node was told to reach.
 *
 * One loop per target: dial while there is no session, look again while there is one, and dial anew when
 * the peer fell silent. Probing comes before redialling, so that a busy peer keeps its session.
 */

import { type Clock, idToHex, lowHalf, NetError } from "../../../base/mod.ts";
import type { Log } from "../../../observe/mod.ts";
import { withLatestAddress } from "../address.ts";
import type { HandshakeTarget } from "./handshake_types.ts";
import {
  HANDSHAKE_PATIENCE_MS,
  PEERS_MAX,
  REDIAL_AFTER_HEARTBEATS,
  SEALED_RENEW_MS,
} from "../limits.ts";
import type { MeshTransport } from "../mesh_transport.ts";
import type { SessionForm, SocketAddress } from "../types.ts";

/** A node to stay connected with. */
export interface DialTarget {
  readonly nodeId: bigint;
  /** Its Noise static key, 32 bytes. */
  readonly noisePublicKey: Uint8Array;
  readonly addresses: readonly SocketAddress[];
  /** Forms of handshake, tried in turn. */
  readonly forms: readonly SessionForm[];
  /** Longest pause between two attempts; 1.5 s when left out. */
  readonly pauseMaxMs?: number;
}

/** What the dialer does with a transport. */
export type DialTransport = Pick<
  MeshTransport,
  "heartbeatMs" | "peer" | "probe" | "dial" | "onSilence"
>;

/** State of a target, for status output. */
export interface DialState {
  readonly target: DialTarget;
  readonly isConnected: boolean;
  /** Failed attempts since the last session. */
  readonly failures: number;
}

/** How long a probed peer has for an answer before it is dialled again. */
const PROBE_MS = 400;
/** How often a connected target is looked at. */
const LOOK_MS = 500;
/** Longest pause between two attempts. */
const PAUSE_MAX_MS = 1_500;
/** Attempts without an answer after which the operator is told, once. */
const FAILURES_TOLD = 3;

interface Loop {
  target: DialTarget;
  readonly abort: AbortController;
  failures: number;
  /** Somebody found the peer silent. */
  isDoubted: boolean;
  wake: () => void;
}

/** Dials and redials targets. */
export class Dialer {
  readonly #transport: DialTransport;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #loops = new Map<bigint, Loop>();
  readonly #unsubscribe: () => void;

  constructor(
    deps: { readonly transport: DialTransport; readonly clock: Clock; readonly log: Log },
  ) {
    this.#transport = deps.transport;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#unsubscribe = deps.transport.onSilence((peer) => {
      const loop = this.#loops.get(peer);
      if (loop === undefined) return this.#transport.probe(peer);
      loop.isDoubted = true;
      loop.wake();
    });
  }

  /** Begins to keep a session with the target; replaces an earlier target of the same node. */
  add(target: DialTarget): void {
    this.remove(target.nodeId);
    if (this.#loops.size >= PEERS_MAX) return;
    const loop: Loop = {
      target,
      abort: new AbortController(),
      failures: 0,
      isDoubted: false,
      wake: () => {},
    };
    this.#loops.set(target.nodeId, loop);
    void this.#run(loop);
  }

  /** A node is reached at this address now: it is dialled there as well, from the next attempt on. */
  learn(nodeId: bigint, address: SocketAddress): void {
    const loop = this.#loops.get(nodeId);
    if (loop === undefined) return;
    loop.target = {
      ...loop.target,
      addresses: withLatestAddress(loop.target.addresses, address),
    };
  }

  /** Stops dialling a node; its session stays. */
  remove(nodeId: bigint): void {
    const loop = this.#loops.get(nodeId);
    if (loop === undefined) return;
    this.#loops.delete(nodeId);
    loop.abort.abort();
  }

  /** All targets. */
  targets(): DialState[] {
    return [...this.#loops.values()].map((loop) => ({
      target: loop.target,
      isConnected: this.#isConnected(loop),
      failures: loop.failures,
    }));
  }

  /** Stops all loops. */
  stop(): void {
    this.#unsubscribe();
    for (const nodeId of [...this.#loops.keys()]) this.remove(nodeId);
  }

  async #run(loop: Loop): Promise<void> {
    const { signal } = loop.abort;
    while (!signal.aborted) {
      if (this.#isConnected(loop) && !this.#isStale(loop) && !await this.#isSilent(loop)) {
        loop.failures = 0;
        await this.#pause(loop, LOOK_MS);
        continue;
      }
      if (signal.aborted) return;
      if (await this.#attempt(loop)) continue;
      if (signal.aborted) return;
      loop.failures += 1;
      if (loop.failures === FAILURES_TOLD) {
        this.#log.warn("peer_unreachable", {
          peer: idToHex(loop.target.nodeId),
          hint: "nothing answers there, or mesh secret, Noise key or node id differ; still trying",
        });
      }
      await this.#pause(loop, this.#pauseOf(loop));
    }
  }

  async #attempt(loop: Loop): Promise<boolean> {
    const { target, failures, abort } = loop;
    const form = target.forms[failures % target.forms.length] ?? "routed";
    const patience = HANDSHAKE_PATIENCE_MS;
    const patienceMs = patience[Math.min(failures, patience.length - 1)] ?? PAUSE_MAX_MS;
    const handshake: HandshakeTarget = { ...target, form };
    try {
      await this.#transport.dial(handshake, patienceMs, abort.signal);
      // A table may have been full, or the session is gone already: that is no reason to hurry.
      return this.#isConnected(loop);
    } catch (error) {
      if (error instanceof NetError && error.code === "handshake_refused" && failures === 0) {
        this.#log.warn("peer_refused", { peer: idToHex(target.nodeId), reason: error.message });
      }
      this.#log.debug("handshake_failed", {
        peer: idToHex(target.nodeId),
        routing_id: lowHalf(target.nodeId),
        form,
        error: error instanceof Error ? error.message : String(error),
      });
      // The peer may have dialled us meanwhile.
      return this.#isConnected(loop) && !loop.isDoubted;
    }
  }

  #isConnected(loop: Loop): boolean {
    const state = this.#transport.peer(loop.target.nodeId)?.state;
    return state === "connected" || state === "suspected";
  }

  /** True when a sealed session that we began has to be renewed. */
  #isStale(loop: Loop): boolean {
    const peer = this.#transport.peer(loop.target.nodeId);
    if (peer === undefined || !peer.isSealed || !peer.initiator) return false;
    return peer.sessionAgeMs > (peer.streams === 0 ? SEALED_RENEW_MS : 2 * SEALED_RENEW_MS);
  }

  /** Pauses grow by a tenth of a second each, then, for patient targets, by doubling. */
  #pauseOf({ failures, target }: Loop): number {
    const ms = failures <= 15 ? 100 * failures : PAUSE_MAX_MS * 2 ** Math.min(failures - 15, 20);
    return Math.min(ms, target.pauseMaxMs ?? PAUSE_MAX_MS);
  }

  /** Probes a peer that should have been heard of by now. */
  async #isSilent(loop: Loop): Promise<boolean> {
    const { nodeId } = loop.target;
    const limitMs = this.#transport.heartbeatMs * REDIAL_AFTER_HEARTBEATS;
    const idleMs = this.#transport.peer(nodeId)?.idleMs ?? Infinity;
    if (!loop.isDoubted && idleMs < limitMs) return false;
    loop.isDoubted = false;
    const probedAt = this.#clock.now();
    this.#transport.probe(nodeId);
    // Further doubts must not cut this short, or a busy peer would be dialled again.
    await this.#pause(loop, PROBE_MS, false);
    const quietMs = this.#transport.peer(nodeId)?.idleMs ?? Infinity;
    return quietMs > this.#clock.now() - probedAt;
  }

  /** Waits; no longer than until the loop ends, or is woken if it may be. */
  #pause(loop: Loop, ms: number, isWakeable = true): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        loop.abort.signal.removeEventListener("abort", end);
        loop.wake = () => {};
        resolve();
      };
      const cancel = this.#clock.after(ms, end);
      loop.abort.signal.addEventListener("abort", end, { once: true });
      loop.wake = isWakeable ? end : () => {};
    });
  }
}
