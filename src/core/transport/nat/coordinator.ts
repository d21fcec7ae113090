/**
 * Introducing two peers that want to punch (`nrpc.md` 16, `wire.md` 13.2): who may ask, for whom, and what
 * both are told. What a peer says of itself counts only as far as its session bears it out.
 */
import type { Clock } from "../../../base/mod.ts";
import type { NatCounters } from "./counters.ts";
import {
  INTRODUCTIONS_MAX,
  PUNCH_LEAD_MS,
  PUNCH_PEERS_MAX,
  PUNCH_WINDOW_MS,
  PUNCHES_PER_WINDOW,
} from "./limits.ts";
import { RequestWindow } from "./request_window.ts";
import type { PeerInfo, SocketAddress } from "../types.ts";
import type { Rendezvous } from "../wire/nat_frames.ts";

/** Why a coordinator refuses, as on the wire. */
export const RejectReason = {
  RateLimited: 1,
  UnknownReflex: 2,
  NoSession: 3,
  ReflexMismatch: 4,
  Other: 255,
} as const;
/** A value of the table of the same name. */
export type RejectReason = (typeof RejectReason)[keyof typeof RejectReason];

/** What {@linkcode PunchCoordinator} needs. */
export interface PunchCoordinatorDeps {
  readonly clock: Clock;
  readonly counters: NatCounters;
  readonly peer: (nodeId: bigint) => Pick<PeerInfo, "address" | "isRelayed" | "state"> | undefined;
  /** The address a node announced; `undefined` when it announced none, or is not known. */
  readonly reflexOf: (nodeId: bigint) => SocketAddress | undefined;
  /** Sends a message on the session of a peer; false when it did not leave. */
  readonly send: (to: bigint, message: Rendezvous) => boolean;
}

type Request = Extract<Rendezvous, { readonly kind: "request" }>;
type Ack = Extract<Rendezvous, { readonly kind: "ack" }>;

/** Introduces peers to each other. */
export class PunchCoordinator {
  /** False refuses everybody. */
  isOn = true;
  readonly #deps: PunchCoordinatorDeps;
  readonly #budget = new RequestWindow({
    max: PUNCHES_PER_WINDOW,
    windowMs: PUNCH_WINDOW_MS,
    idsMax: PUNCH_PEERS_MAX,
  });
  /** When it introduced two, by both ids; the latest stands last. */
  readonly #introduced = new Map<string, number>();

  constructor(deps: PunchCoordinatorDeps) {
    this.#deps = deps;
  }

  /** Takes a request that came on the session of `from`. */
  onRequest(from: bigint, request: Request): void {
    const { clock, counters, send, reflexOf } = this.#deps;
    const { target, punchId, selfReflex } = request;
    const reason = this.#refuse(from, request);
    const targetReflex = reflexOf(target);
    if (reason === undefined && targetReflex !== undefined) {
      const fireAtMs = BigInt(Math.floor(clock.wallMs()) + PUNCH_LEAD_MS);
      const isTold = send(target, {
        kind: "introduce",
        peer: from,
        peerReflex: selfReflex,
        fireAtMs,
      });
      if (isTold) {
        counters.introductions_sent_total += 1;
        this.#remember(from, target);
        send(from, { kind: "introduce", peer: target, peerReflex: targetReflex, fireAtMs });
        return;
      }
    }
    const refusal = reason ?? RejectReason.NoSession;
    this.#count(refusal);
    send(from, { kind: "reject", target, punchId, reason: refusal });
  }

  /**
   * Passes an ack on to the peer it is for, if the session it came on is that of its sender and this node
   * introduced the two a moment ago.
   */
  onAck(from: bigint, ack: Ack): void {
    const { clock, counters, send } = this.#deps;
    if (ack.fromPeer !== from) {
      counters.peer_auth_rejections_total += 1;
      return;
    }
    const at = this.#introduced.get(pairKey(from, ack.toPeer));
    if (at === undefined || clock.now() - at > PUNCH_WINDOW_MS) {
      counters.drop_stale_total += 1;
      return;
    }
    if (send(ack.toPeer, ack)) counters.acks_forwarded_total += 1;
  }

  /** The checks, in the order of the specification; `undefined` when the two are to be introduced. */
  #refuse(from: bigint, { target, selfReflex }: Request): RejectReason | undefined {
    const { clock, peer, reflexOf } = this.#deps;
    if (!this.#budget.take(from, clock.now())) return RejectReason.RateLimited;
    if (!this.isOn) return RejectReason.Other;
    if (reflexOf(target) === undefined) return RejectReason.UnknownReflex;
    const requester = peer(from);
    // Behind a relay the session's address is the relay's and bears nothing out.
    if (requester?.isRelayed !== false || requester.address.host !== selfReflex.host) {
      return RejectReason.ReflexMismatch;
    }
    const other = target === from ? undefined : peer(target);
    if (other?.isRelayed !== false || !isUp(other.state)) return RejectReason.NoSession;
    return undefined;
  }

  #count(reason: RejectReason): void {
    const { counters } = this.#deps;
    if (reason === RejectReason.RateLimited) counters.rejects_rate_limited_total += 1;
    else if (reason === RejectReason.UnknownReflex) counters.rejects_unknown_reflex_total += 1;
    else if (reason === RejectReason.NoSession) counters.rejects_no_session_total += 1;
    else if (reason === RejectReason.ReflexMismatch) counters.rejects_reflex_mismatch_total += 1;
    else counters.rejects_other_total += 1;
  }

  #remember(one: bigint, other: bigint): void {
    const key = pairKey(one, other);
    this.#introduced.delete(key);
    if (this.#introduced.size >= INTRODUCTIONS_MAX) {
      const [oldest] = this.#introduced.keys();
      if (oldest !== undefined) this.#introduced.delete(oldest);
    }
    this.#introduced.set(key, this.#deps.clock.now());
  }
}

function isUp(state: PeerInfo["state"]): boolean {
  return state === "connected" || state === "suspected";
}

function pairKey(one: bigint, other: bigint): string {
  return one < other ? `${one}|${other}` : `${other}|${one}`;
}
