/**
 * What is passed on, and what is believed of what others pass on (promise C5).
 *
 * A statement is passed on once, by every node that it was new to, with the signature of its publisher.
 * Nothing that a relay says has to be believed: the publisher's entity makes its node id, the signature
 * covers the rest, and the time it was signed at ends its life whoever keeps sending it.
 */
import { type Clock, RateTable, TokenBucket } from "../../../base/mod.ts";
import type { FoldTime } from "./entry.ts";
import { type AnyFoldEnvelope, decodeFoldEnvelope } from "./envelope.ts";
import type { FoldSet, FoldVerdict } from "./fold_set.ts";
import { FOLD_KIND_FACTS, type FoldKindNumber } from "./kinds.ts";
import {
  RELAY_HOPS_MAX,
  RELAY_NEIGHBOR_RATE,
  RELAY_NEIGHBORS_MAX,
  RELAY_ORIGIN_RATE,
  RELAY_ORIGINS_MAX,
  RELAY_SEEN_MAX,
  RELAY_SKEW_MS,
  RELAY_TOTAL_RATE,
} from "./limits.ts";
import { type FoldReach, GLOBAL_REACH } from "./reach.ts";
import { foldKey } from "./rules.ts";
import { decodeRelayedFold, encodeRelayedFold } from "./relay_frame.ts";

/** Why a frame was not looked into, or not further than its head. */
export type RelayDrop =
  | "neighbor_rate"
  | "total_rate"
  | "malformed"
  /** This node's own words, come back. */
  | "own"
  /** Signed too long ago, or in the future. */
  | "age"
  /** Not meant to come here. */
  | "scope"
  /** Had been here before. */
  | "seen";

/** A statement to pass on. */
export interface FoldForward {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly kind: FoldKindNumber;
  readonly publisher: bigint;
  /** Number of this statement among those of its publisher, as far as that goes. */
  readonly turn: number;
}

/** What became of a message. */
export type RelayVerdict =
  | { readonly kind: "taken"; readonly verdict: FoldVerdict; readonly forward?: FoldForward }
  | { readonly kind: "dropped"; readonly reason: RelayDrop };

/** Counters. */
export interface RelayCounters {
  /** Frames; the sum of those taken and those dropped. */
  receivedTotal: number;
  takenTotal: number;
  readonly dropped: Record<RelayDrop, number>;
  forwardedTotal: number;
  /** Not passed on: their publisher says too much, or they went far enough. */
  originRateTotal: number;
  farTotal: number;
}

/** What {@linkcode FoldRelay} needs. */
export interface FoldRelayDeps {
  readonly clock: Clock;
  readonly folds: FoldSet;
  readonly reach?: FoldReach;
}

interface Seen {
  readonly generation: bigint;
  readonly forgetAt: number;
}

const US_PER_MS = 1000;
const TURN_MASK = 0xffff_ffffn;

/** The way of statements through this node. */
export class FoldRelay {
  readonly #deps: FoldRelayDeps;
  readonly #nodeId: bigint;
  readonly #reach: FoldReach;
  readonly #neighbors = new RateTable(RELAY_NEIGHBOR_RATE, RELAY_NEIGHBORS_MAX);
  readonly #origins = new RateTable(RELAY_ORIGIN_RATE, RELAY_ORIGINS_MAX);
  readonly #total: TokenBucket;
  /** What was taken of each publisher last, the oldest first. */
  readonly #seen = new Map<string, Seen>();
  readonly #counters: RelayCounters = {
    receivedTotal: 0,
    takenTotal: 0,
    dropped: {
      neighbor_rate: 0,
      total_rate: 0,
      malformed: 0,
      own: 0,
      age: 0,
      scope: 0,
      seen: 0,
    },
    forwardedTotal: 0,
    originRateTotal: 0,
    farTotal: 0,
  };

  /** @param nodeId This node. */
  constructor(deps: FoldRelayDeps, nodeId: bigint) {
    this.#deps = deps;
    this.#nodeId = nodeId;
    this.#reach = deps.reach ?? GLOBAL_REACH;
    this.#total = new TokenBucket(RELAY_TOTAL_RATE, deps.clock.now());
  }

  get counters(): Readonly<RelayCounters> {
    return this.#counters;
  }

  /**
   * Takes in what a neighbour says itself.
   *
   * @param publisher Entity id known for its session.
   */
  receiveDirect(bytes: Uint8Array, publisher: Uint8Array): RelayVerdict {
    const verdict = this.#deps.folds.receive(bytes, publisher);
    return { kind: "taken", verdict, forward: this.#forward(verdict, publisher, bytes, 0) };
  }

  /**
   * Takes in what a neighbour passes on.
   *
   * @param from The neighbour.
   */
  receiveRelayed(bytes: Uint8Array, from: bigint): RelayVerdict {
    this.#counters.receivedTotal += 1;
    const result = this.#judge(bytes, from);
    if (result.kind === "taken") this.#counters.takenTotal += 1;
    else this.#counters.dropped[result.reason] += 1;
    return result;
  }

  #judge(bytes: Uint8Array, from: bigint): RelayVerdict {
    const { clock, folds } = this.#deps;
    const nowMs = clock.now();
    if (!this.#neighbors.take(from, nowMs)) return drop("neighbor_rate");
    if (!this.#total.take(1, nowMs)) return drop("total_rate");
    const frame = decodeRelayedFold(bytes);
    const decoded = frame && decodeFoldEnvelope(frame.envelope);
    if (frame === undefined || !decoded?.ok) return drop("malformed");
    const { envelope } = decoded;
    const { publisher, hops } = frame;
    if (envelope.nodeId === this.#nodeId) return drop("own");
    const lifeMsMax = lifeLeft(envelope, folds.time());
    if (lifeMsMax <= 0) return drop("age");
    if (!this.#reach.mayReach(envelope.kind, envelope.nodeId, this.#nodeId)) return drop("scope");
    if (this.#hasSeen(envelope, nowMs)) return drop("seen");
    const verdict = folds.accept(envelope, frame.envelope, publisher, lifeMsMax);
    return {
      kind: "taken",
      verdict,
      forward: this.#forward(verdict, publisher, frame.envelope, hops),
    };
  }

  /** The frame for the next nodes, when what came was new. */
  #forward(
    verdict: FoldVerdict,
    publisher: Uint8Array,
    bytes: Uint8Array,
    hops: number,
  ): FoldForward | undefined {
    if (verdict.kind !== "applied") return undefined;
    const { envelope } = verdict;
    const time = this.#deps.folds.time();
    const leftMs = lifeLeft(envelope, time);
    if (leftMs <= 0) return undefined;
    this.#remember(envelope, time.nowMs + leftMs);
    const frame = hops < RELAY_HOPS_MAX
      ? encodeRelayedFold({ hops: hops + 1, publisher, envelope: bytes })
      : undefined;
    if (frame === undefined) {
      this.#counters.farTotal += 1;
      return undefined;
    }
    if (!this.#origins.take(envelope.nodeId, time.nowMs)) {
      this.#counters.originRateTotal += 1;
      return undefined;
    }
    this.#counters.forwardedTotal += 1;
    const turn = Number(envelope.generation & TURN_MASK);
    return { bytes: frame, kind: envelope.kind, publisher: envelope.nodeId, turn };
  }

  #hasSeen(envelope: AnyFoldEnvelope, nowMs: number): boolean {
    const seen = this.#seen.get(nameOf(envelope));
    return seen !== undefined && seen.forgetAt > nowMs && seen.generation >= envelope.generation;
  }

  #remember(envelope: AnyFoldEnvelope, forgetAt: number): void {
    const name = nameOf(envelope);
    this.#seen.delete(name);
    if (this.#seen.size >= RELAY_SEEN_MAX) {
      for (const oldest of this.#seen.keys()) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.set(name, { generation: envelope.generation, forgetAt });
  }
}

/** Milliseconds that a statement is good for, by its own time; 0 when it is from the future. */
function lifeLeft({ kind, announcedAtUs, ttlSeconds }: AnyFoldEnvelope, time: FoldTime): number {
  const ageMs = Number(time.wallUs - announcedAtUs) / US_PER_MS;
  if (ageMs < -RELAY_SKEW_MS) return 0;
  const lifeMs = (ttlSeconds ?? FOLD_KIND_FACTS[kind].ttlSeconds) * 1000;
  return Math.max(0, lifeMs + RELAY_SKEW_MS - ageMs);
}

/** Publishers count the statements on each thing on their own. */
function nameOf(envelope: AnyFoldEnvelope): string {
  return `${envelope.kind}/${envelope.nodeId}/${foldKey(envelope)}`;
}

function drop(reason: RelayDrop): RelayVerdict {
  return { kind: "dropped", reason };
}
