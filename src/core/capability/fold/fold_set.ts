/**
 * All folds of a node, and the gate in front of them: bytes and their publisher go in, a verdict comes
 * out (`capabilities.md` 11).
 *
 * The gate asks first what costs nothing: a statement that would be rejected anyway is not verified.
 */
import type { Clock } from "../../../base/mod.ts";
import { SIGNATURE_BYTES } from "../../crypto/mod.ts";
import type { FoldAuditSink } from "./audit.ts";
import type { FoldOutcome, FoldRejection, FoldTime } from "./entry.ts";
import {
  type AnyFoldEnvelope,
  decodeFoldEnvelope,
  type FoldEnvelope,
  type FoldFault,
} from "./envelope.ts";
import { type FoldForgery, verifyFoldEnvelope } from "./envelope_signature.ts";
import { type ApplyOptions, Fold } from "./fold.ts";
import type { FoldMetrics, FoldStats } from "./fold_metrics.ts";
import { FOLD_KINDS, type FoldKindNumber } from "./kinds.ts";
import { FOLD_RULES } from "./rules.ts";
import { decodeFoldSnapshot, encodeFoldSnapshot } from "./snapshot.ts";

/** What {@linkcode FoldSet} needs. */
export interface FoldSetDeps {
  readonly clock: Clock;
  readonly audit?: FoldAuditSink;
}

/** Options of {@linkcode FoldSet}. */
export interface FoldSetOptions {
  /** This node. */
  readonly nodeId: bigint;
}

/** Why bytes are no statement of their publisher. */
export type FoldDrop = FoldFault | FoldForgery;

/** What became of bytes. */
export type FoldVerdict =
  | { readonly kind: "applied"; readonly envelope: AnyFoldEnvelope }
  | { readonly kind: "rejected"; readonly reason: FoldRejection }
  | { readonly kind: "dropped"; readonly reason: FoldDrop };

/** Counters of the gate: `receivedTotal` is the sum of all others. */
export interface FoldGateCounters {
  receivedTotal: number;
  appliedTotal: number;
  rejectedTotal: number;
  readonly dropped: Record<FoldDrop, number>;
}

type Folds = { readonly [Kind in FoldKindNumber]: Fold<Kind> };

const US_PER_MS = 1000;
/** The signature with its length. */
const SEAL_BYTES = 1 + SIGNATURE_BYTES;

/** The folds of every kind. */
export class FoldSet {
  readonly #clock: Clock;
  readonly #folds: Folds;
  readonly #counters: FoldGateCounters = {
    receivedTotal: 0,
    appliedTotal: 0,
    rejectedTotal: 0,
    dropped: {
      too_long: 0,
      malformed: 0,
      unknown_kind: 0,
      unsound: 0,
      not_canonical: 0,
      signature_length: 0,
      unsigned: 0,
      signature: 0,
      node_id_mismatch: 0,
      no_generation: 0,
    },
  };

  constructor({ clock, audit }: FoldSetDeps, { nodeId }: FoldSetOptions) {
    this.#clock = clock;
    const options = { nodeId, audit };
    this.#folds = {
      1: new Fold(FOLD_RULES[1], options),
      2: new Fold(FOLD_RULES[2], options),
      3: new Fold(FOLD_RULES[3], options),
      4: new Fold(FOLD_RULES[4], options),
    };
  }

  /** Memberships. */
  get capability(): Fold<1> {
    return this.#folds[1];
  }

  get routes(): Fold<2> {
    return this.#folds[2];
  }

  get reservations(): Fold<3> {
    return this.#folds[3];
  }

  get islands(): Fold<4> {
    return this.#folds[4];
  }

  get counters(): Readonly<FoldGateCounters> {
    return this.#counters;
  }

  /** Now. */
  time(): FoldTime {
    const wallUs = BigInt(Math.round(this.#clock.wallMs() * US_PER_MS));
    return { nowMs: this.#clock.now(), wallUs };
  }

  /** The fold of a kind. */
  fold<Kind extends FoldKindNumber>(kind: Kind): Folds[Kind] {
    return this.#folds[kind];
  }

  /** Every fold, by kind. */
  all(): readonly Folds[FoldKindNumber][] {
    return FOLD_KINDS.map((kind) => this.#folds[kind]);
  }

  /**
   * Takes in one message.
   *
   * @param publisher Entity id of the node whose word it is said to be.
   */
  receive(bytes: Uint8Array, publisher: Uint8Array): FoldVerdict {
    const decoded = decodeFoldEnvelope(bytes);
    if (!decoded.ok) return this.#count({ kind: "dropped", reason: decoded.fault });
    return this.accept(decoded.envelope, bytes, publisher);
  }

  /**
   * Takes in a statement that was decoded from `bytes`, as the word of `publisher`, which is verified.
   *
   * @param lifeMsMax Shortens its life; milliseconds.
   */
  accept(
    envelope: AnyFoldEnvelope,
    bytes: Uint8Array,
    publisher: Uint8Array,
    lifeMsMax?: number,
  ): FoldVerdict {
    const startedAt = this.#clock.now();
    const bound = this.#bind(envelope);
    const verdict = this.#judge(envelope, bound, bytes, { publisher, lifeMsMax });
    if (verdict.kind !== "dropped") bound.metrics.noteApply(this.#clock.now() - startedAt);
    return this.#count(verdict);
  }

  /** Takes in a statement that was verified, or that this node put together itself. */
  apply(envelope: AnyFoldEnvelope, options: ApplyOptions = {}): FoldOutcome {
    const startedAt = this.#clock.now();
    const bound = this.#bind(envelope);
    const outcome = bound.apply(this.time(), options);
    bound.metrics.noteApply(this.#clock.now() - startedAt);
    return outcome;
  }

  /** Takes away everything a node said: it is gone. Returns how much that was. */
  evictNode(nodeId: bigint): number {
    const time = this.time();
    return this.all().reduce((count, fold) => count + fold.evictNode(nodeId, time), 0);
  }

  /** Takes away what expired; returns how much that was. */
  sweep(): number {
    const time = this.time();
    return this.all().reduce((count, fold) => count + fold.sweep(time), 0);
  }

  /**
   * Answers a question about one kind, counted and measured.
   *
   * @param ask Gets the fold and the time to ask it with.
   */
  query<Kind extends FoldKindNumber, T>(
    kind: Kind,
    ask: (fold: Folds[Kind], time: FoldTime) => T,
  ): T {
    const fold = this.#folds[kind];
    const startedAt = this.#clock.now();
    try {
      return ask(fold, this.time());
    } finally {
      fold.metrics.noteQuery(this.#clock.now() - startedAt);
    }
  }

  /** Counters of every fold. */
  stats(): readonly FoldStats[] {
    return this.all().map((fold) => fold.stats());
  }

  /** Counters of every fold by the names of metrics. */
  metricRows(): Record<string, number> {
    return Object.assign({}, ...this.all().map((fold) => fold.metrics.rows(fold.size)));
  }

  /** Bytes to keep of a kind over a restart. */
  snapshot(kind: FoldKindNumber): Uint8Array<ArrayBuffer> {
    const time = this.time();
    return encodeFoldSnapshot(kind, this.#folds[kind].values(time.nowMs), time);
  }

  /**
   * Takes in what was kept of a kind.
   *
   * @param awayMs Time since the snapshot was taken.
   * @returns Entries that are back; `undefined` when the bytes are no snapshot of this kind.
   */
  restore(kind: FoldKindNumber, bytes: Uint8Array, awayMs: number): number | undefined {
    const time = this.time();
    const records = decodeFoldSnapshot(kind, bytes);
    if (records === undefined) return undefined;
    let restored = 0;
    for (const { envelope, leftMs, ...options } of records) {
      const isBack = this.#bind(envelope).restore(leftMs - Math.max(0, awayMs), time, options);
      if (isBack) restored += 1;
    }
    return restored;
  }

  #judge(
    envelope: AnyFoldEnvelope,
    { metrics, check, apply }: BoundStatement,
    bytes: Uint8Array,
    options: ApplyOptions & { readonly publisher: Uint8Array },
  ): FoldVerdict {
    const time = this.time();
    const reason = check(time);
    if (reason !== undefined) {
      metrics.rejected += 1;
      return { kind: "rejected", reason };
    }
    // The decoder took the one form there is, so these are the bytes that were signed.
    const signed = bytes.subarray(0, bytes.length - SEAL_BYTES);
    const forgery = verifyFoldEnvelope(envelope, options.publisher, signed);
    if (forgery !== undefined) return { kind: "dropped", reason: forgery };
    metrics.noteLag(Number(time.wallUs - envelope.announcedAtUs) / US_PER_MS);
    const outcome = apply(time, { ...options, wireBytes: bytes.length });
    return outcome.kind === "rejected" ? outcome : { kind: "applied", envelope };
  }

  #count(verdict: FoldVerdict): FoldVerdict {
    this.#counters.receivedTotal += 1;
    if (verdict.kind === "applied") this.#counters.appliedTotal += 1;
    else if (verdict.kind === "rejected") this.#counters.rejectedTotal += 1;
    else this.#counters.dropped[verdict.reason] += 1;
    return verdict;
  }

  /** A statement together with the fold of its kind. */
  #bind(envelope: AnyFoldEnvelope): BoundStatement {
    switch (envelope.kind) {
      case 1:
        return bind(this.#folds[1], envelope);
      case 2:
        return bind(this.#folds[2], envelope);
      case 3:
        return bind(this.#folds[3], envelope);
      case 4:
        return bind(this.#folds[4], envelope);
    }
  }
}

/** What can be done with a statement, whatever its kind. */
interface BoundStatement {
  readonly metrics: FoldMetrics;
  check(time: FoldTime): FoldRejection | undefined;
  apply(time: FoldTime, options: ApplyOptions): FoldOutcome;
  restore(leftMs: number, time: FoldTime, options: ApplyOptions): boolean;
}

function bind<Kind extends FoldKindNumber>(
  fold: Fold<Kind>,
  envelope: FoldEnvelope<Kind>,
): BoundStatement {
  return {
    metrics: fold.metrics,
    check: (time) => fold.check(envelope, time),
    apply: (time, options) => fold.apply(envelope, time, options),
    restore: (leftMs, time, options) => fold.restore(envelope, leftMs, time, options),
  };
}
