/**
 * Who is alive (`wire.md` 11): heartbeats out, silence judged, states moved.
 *
 * One timer serves all peers. A round goes over the peers once per heartbeat interval, a slice of them
 * at a time, so that ten thousand heartbeats leave as a trickle and not as one burst; nothing is
 * allocated per peer.
 */

import type { Clock } from "../../../base/mod.ts";
import type { ConductTable } from "./conduct.ts";
import type { TransportCounters } from "../counters.ts";
import {
  EVICTED_TIMEOUTS,
  FAILED_TIMEOUTS,
  SUSPECTED_TIMEOUTS,
  UNCONFIRMED_MS,
} from "../limits.ts";
import { LIVENESS_SLICE } from "../mesh_limits.ts";
import type { Peer, PeerTable } from "./peers.ts";

/** What became of a peer. */
export type LivenessChange = "suspected" | "relieved" | "failed" | "recovered" | "evicted";

/** What {@linkcode Liveness} needs. */
export interface LivenessDeps {
  readonly clock: Clock;
  readonly peers: PeerTable;
  readonly counters: TransportCounters;
  readonly conduct: ConductTable;
  /** A new round begins. */
  readonly onRound: (now: number) => void;
  /** It is this peer's turn to be sent a sign of life. */
  readonly beat: (peer: Peer) => void;
  readonly onChange: (peer: Peer, change: LivenessChange) => void;
}

/** Options of {@linkcode Liveness}. */
export interface LivenessOptions {
  readonly heartbeatMs: number;
  /** The session timeout T. */
  readonly sessionTimeoutMs: number;
}

/** The failure detector. */
export class Liveness {
  readonly #deps: LivenessDeps;
  readonly #options: LivenessOptions;
  #cursor = 0;
  #cancelRound: (() => void) | undefined;
  #cancelSlice: (() => void) | undefined;

  constructor(deps: LivenessDeps, options: LivenessOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Begins the rounds; the first one is after one full interval. */
  start(): void {
    this.#scheduleRound();
  }

  /** Ends them; idempotent. */
  stop(): void {
    this.#cancelRound?.();
    this.#cancelSlice?.();
  }

  /** An authentic heartbeat of the peer came. */
  onHeartbeat(peer: Peer): void {
    const now = this.#deps.clock.now();
    this.#deps.conduct.onHeartbeat(peer.slot, now - peer.lastHeartbeatAt);
    this.onSign(peer, now);
  }

  /** Anything that shows that the peer is alive: a heartbeat, for a relayed peer any packet. */
  onSign(peer: Peer, now: number): void {
    peer.lastHeartbeatAt = now;
    if (peer.session === undefined) return;
    if (peer.state === "failed") {
      peer.state = "connected";
      this.#deps.counters.peers_recovered_total += 1;
      this.#deps.onChange(peer, "recovered");
    } else if (peer.state === "suspected") {
      peer.state = "connected";
      this.#deps.onChange(peer, "relieved");
    }
  }

  /** Moves the peer's state along with time. */
  judge(peer: Peer, now: number): void {
    const { counters, onChange } = this.#deps;
    const timeoutMs = this.#options.sessionTimeoutMs;
    // Heartbeats alone count (`wire.md` 11), but none passes a relay.
    const isDirect = peer.relayTo === undefined;
    const silentMs = now - (isDirect ? peer.lastHeartbeatAt : peer.lastReceivedAt);
    if (peer.state === "connecting") {
      // Its session was lost, or there was no room for one. One that waits for proof is not judged here.
      const isLeft = peer.session === undefined && peer.candidate === undefined;
      if (!isLeft || silentMs <= UNCONFIRMED_MS) return;
      counters.peers_evicted_total += 1;
      onChange(peer, "evicted");
    } else if (peer.state === "failed") {
      const idleMs = now - Math.max(peer.lastReceivedAt, peer.lastHeartbeatAt);
      if (idleMs <= EVICTED_TIMEOUTS * timeoutMs) return;
      counters.peers_evicted_total += 1;
      onChange(peer, "evicted");
    } else if (silentMs > FAILED_TIMEOUTS * timeoutMs) {
      peer.state = "failed";
      counters.peers_failed_total += 1;
      onChange(peer, "failed");
    } else if (peer.state === "connected" && silentMs > SUSPECTED_TIMEOUTS * timeoutMs) {
      peer.state = "suspected";
      counters.peers_suspected_total += 1;
      onChange(peer, "suspected");
    } else if (peer.state === "suspected" && silentMs <= SUSPECTED_TIMEOUTS * timeoutMs) {
      this.onSign(peer, isDirect ? peer.lastHeartbeatAt : peer.lastReceivedAt);
    }
  }

  #scheduleRound(): void {
    const { heartbeatMs } = this.#options;
    this.#cancelRound = this.#deps.clock.after(heartbeatMs, () => {
      this.#scheduleRound();
      // A round that is late, because the machine was asleep, is not run beside the next one.
      this.#cancelSlice?.();
      this.#cursor = 0;
      this.#deps.onRound(this.#deps.clock.now());
      const slices = Math.ceil(this.#deps.peers.slotsEnd / LIVENESS_SLICE);
      this.#runSlice(heartbeatMs / Math.max(1, slices));
    });
  }

  #runSlice(pauseMs: number): void {
    const { clock, peers, beat } = this.#deps;
    const now = clock.now();
    const end = Math.min(this.#cursor + LIVENESS_SLICE, peers.slotsEnd);
    for (; this.#cursor < end; this.#cursor++) {
      const peer = peers.at(this.#cursor);
      if (peer === undefined) continue;
      // Who never showed that it holds the keys may be a forged address: it gets nothing more.
      if (peer.session?.isConfirmed === true) beat(peer);
      this.judge(peer, now);
    }
    if (this.#cursor >= peers.slotsEnd) return;
    this.#cancelSlice = clock.after(pauseMs, () => this.#runSlice(pauseMs));
  }
}
