/**
 * One fold: the statements of one kind that stand, and what comes of further ones
 * (`capabilities.md` 11).
 *
 * Pure: the caller verified what it hands in, owns the clocks, and calls `sweep`. An expired entry is
 * never seen: not by readers, and not by the statement that comes after it.
 */
import { Emitter } from "../../../base/mod.ts";
import { FoldTable } from "./_fold_table.ts";
import type { FoldAction, FoldAuditSink } from "./audit.ts";
import { ChangeWatch } from "./change_watch.ts";
import type {
  FoldChange,
  FoldEntry,
  FoldKey,
  FoldOutcome,
  FoldRejection,
  FoldTime,
} from "./entry.ts";
import type { FoldEnvelope } from "./envelope.ts";
import { FoldMetrics, type FoldStats } from "./fold_metrics.ts";
import { FOLD_KIND_FACTS, type FoldKindNumber } from "./kinds.ts";
import {
  ENTRY_BYTES,
  ENTRY_BYTES_PER_WIRE_BYTE,
  FOLD_BYTES_MAX,
  FOLD_LIFE_MS_MAX,
  PUBLISHER_ENTRIES_MAX,
} from "./limits.ts";
import type { FoldRules } from "./rules.ts";

/** Options of {@linkcode Fold}. */
export interface FoldOptions {
  /** This node. */
  readonly nodeId: bigint;
  readonly audit?: FoldAuditSink;
  /** Memory of all entries; by kind when left out. */
  readonly bytesMax?: number;
  /** By kind when left out. */
  readonly entriesPerPublisherMax?: number;
}

/** What is known beside a statement itself. */
export interface ApplyOptions {
  /** Entity id of the publisher, of a signed statement. */
  readonly publisher?: Uint8Array;
  /** Bytes on the wire; a kilobyte is assumed when left out. */
  readonly wireBytes?: number;
  /** Shortens the life; milliseconds. */
  readonly lifeMsMax?: number;
}

const ASSUMED_WIRE_BYTES = 64;

/** Entries of one kind. */
export class Fold<Kind extends FoldKindNumber> {
  readonly kind: Kind;
  readonly metrics: FoldMetrics;
  readonly #rules: FoldRules<Kind>;
  readonly #table: FoldTable<Kind>;
  readonly #audit: FoldAuditSink | undefined;
  readonly #changes = new Emitter<[change: FoldChange<Kind>]>();
  readonly #watch = new ChangeWatch();
  /** No entry expires before. */
  #soonest = Infinity;

  constructor(rules: FoldRules<Kind>, options: FoldOptions) {
    const { kind } = rules;
    this.kind = kind;
    this.metrics = new FoldMetrics(kind);
    this.#rules = rules;
    this.#audit = options.audit;
    this.#table = new FoldTable({
      nodeId: options.nodeId,
      bytesMax: options.bytesMax ?? FOLD_BYTES_MAX[kind],
      entriesPerPublisherMax: options.entriesPerPublisherMax ?? PUBLISHER_ENTRIES_MAX[kind],
    });
  }

  /** Entries, expired ones that were not swept included. */
  get size(): number {
    return this.#table.size;
  }

  /** Changes so far; see {@linkcode Fold.changed}. */
  get changeCount(): number {
    return this.#watch.count;
  }

  /** Waits until the counter of changes is not `since` any more; returns it. */
  changed(since: number, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    return this.#watch.changed(since, options);
  }

  /** Calls back on every change, in order; the result stops that. */
  onChange(handler: (change: FoldChange<Kind>) => void): () => void {
    return this.#changes.on(handler);
  }

  /** Counters. */
  stats(): FoldStats {
    return this.metrics.stats(this.size);
  }

  /** The entry of a key. */
  get(key: FoldKey, nowMs: number): FoldEntry<Kind> | undefined {
    const entry = this.#table.get(key);
    return entry !== undefined && entry.expiresAt > nowMs ? entry : undefined;
  }

  /** All entries, in no particular order. */
  *values(nowMs: number): Generator<FoldEntry<Kind>, void, undefined> {
    for (const entry of this.#table.values()) if (entry.expiresAt > nowMs) yield entry;
  }

  /** Entries of one publisher. */
  of(nodeId: bigint, nowMs: number): FoldEntry<Kind>[] {
    return this.#table.of(nodeId).filter((entry) => entry.expiresAt > nowMs);
  }

  /** Why a statement would be rejected, room left aside; changes and counts nothing. */
  check(envelope: FoldEnvelope<Kind>, time: FoldTime): FoldRejection | undefined {
    const refused = this.#rules.admit(envelope);
    if (refused !== undefined) return refused;
    const known = this.get(this.#rules.keyOf(envelope), time.nowMs);
    return known && this.#rules.replace(known.envelope, envelope, time.wallUs);
  }

  /** Takes in a statement of this kind that was verified, or that this node put together itself. */
  apply(
    envelope: FoldEnvelope<Kind>,
    time: FoldTime,
    options: ApplyOptions = {},
  ): FoldOutcome<Kind> {
    const key = this.#rules.keyOf(envelope);
    const dead = this.#table.get(key);
    if (dead !== undefined && dead.expiresAt <= time.nowMs) this.#end(dead, "expired", time);
    const lifeMs = Math.min(lifeOf(envelope), options.lifeMsMax ?? Infinity);
    const reason = lifeMs > 0 ? this.check(envelope, time) : "expired";
    if (reason !== undefined) return this.#reject(key, envelope, reason, time);
    const previous = this.#table.get(key);
    const entry: FoldEntry<Kind> = {
      key,
      envelope,
      expiresAt: time.nowMs + lifeMs,
      publisher: options.publisher,
      bytes: weigh(options.wireBytes),
    };
    const crowded = this.#put(entry, time);
    if (crowded !== undefined) return this.#reject(key, envelope, crowded, time);
    if (previous === undefined) {
      this.metrics.inserted += 1;
      this.#record("created", key, envelope, time);
      this.#note({ cause: "inserted", entry, previous });
      return { kind: "inserted", entry };
    }
    this.metrics.replaced += 1;
    this.#record("replaced", key, envelope, time);
    this.#note({ cause: "replaced", entry, previous });
    return { kind: "replaced", entry, previous };
  }

  /**
   * Takes in an entry kept over a restart; what is known already stands.
   *
   * @returns False when there was no place for it.
   */
  restore(
    envelope: FoldEnvelope<Kind>,
    leftMs: number,
    time: FoldTime,
    options: ApplyOptions = {},
  ): boolean {
    const key = this.#rules.keyOf(envelope);
    const lifeMs = Math.min(leftMs, FOLD_LIFE_MS_MAX);
    if (lifeMs <= 0 || this.#table.get(key) !== undefined) return false;
    const { publisher, wireBytes } = options;
    const expiresAt = time.nowMs + lifeMs;
    const entry = { key, envelope, expiresAt, publisher, bytes: weigh(wireBytes) };
    if (this.#put(entry, time) !== undefined) return false;
    this.#note({ cause: "restored", entry, previous: undefined });
    return true;
  }

  /** Takes away all entries of a publisher; returns how many. */
  evictNode(nodeId: bigint, time: FoldTime): number {
    const entries = this.#table.of(nodeId);
    for (const entry of entries) this.#end(entry, "evicted", time);
    return entries.length;
  }

  /** Takes an entry away whose reason to be is gone; false when there is none. */
  evict(key: FoldKey, time: FoldTime): boolean {
    const entry = this.#table.get(key);
    if (entry === undefined) return false;
    this.#end(entry, "evicted", time);
    return true;
  }

  /** Takes away what expired; returns how many. */
  sweep(time: FoldTime): number {
    if (time.nowMs < this.#soonest) return 0;
    let ended = 0;
    let soonest = Infinity;
    for (const entry of this.#table.values()) {
      if (entry.expiresAt <= time.nowMs) {
        this.#end(entry, "expired", time);
        ended += 1;
      } else if (entry.expiresAt < soonest) soonest = entry.expiresAt;
    }
    this.#soonest = soonest;
    return ended;
  }

  /** Puts an entry in its place; the reason when there is no room. */
  #put(entry: FoldEntry<Kind>, time: FoldTime): FoldRejection | undefined {
    const { key, envelope, bytes } = entry;
    const find = () => this.#table.room(envelope.nodeId, bytes, this.#table.get(key));
    let room = find();
    // What expired may still be in the way.
    if (typeof room === "string" && this.sweep(time) > 0) room = find();
    if (typeof room === "string") return room;
    for (const victim of room.victims) this.#end(victim, "evicted", time);
    this.#table.set(entry);
    this.#soonest = Math.min(this.#soonest, entry.expiresAt);
    return undefined;
  }

  #reject(
    key: FoldKey,
    envelope: FoldEnvelope<Kind>,
    reason: FoldRejection,
    time: FoldTime,
  ): FoldOutcome<Kind> {
    this.metrics.rejected += 1;
    this.#record("rejected", key, envelope, time, reason);
    return { kind: "rejected", reason };
  }

  #end(entry: FoldEntry<Kind>, cause: "expired" | "evicted", time: FoldTime): void {
    this.#table.remove(entry.key);
    if (cause === "expired") this.metrics.expiries += 1;
    else this.metrics.evictions += 1;
    this.#record(cause, entry.key, entry.envelope, time);
    this.#note({ cause, entry: undefined, previous: entry });
  }

  #note(change: FoldChange<Kind>): void {
    this.#changes.emit(change);
    this.#watch.note();
  }

  #record(
    action: FoldAction,
    key: FoldKey,
    envelope: FoldEnvelope<Kind>,
    { wallUs }: FoldTime,
    reason?: FoldRejection,
  ): void {
    if (this.#audit === undefined) return;
    const { nodeId, generation } = envelope;
    const { kind } = this;
    this.#audit.record({ kind, action, key, nodeId, generation, atUs: wallUs, reason });
  }
}

function lifeOf({ kind, ttlSeconds }: FoldEnvelope): number {
  return Math.min((ttlSeconds ?? FOLD_KIND_FACTS[kind].ttlSeconds) * 1000, FOLD_LIFE_MS_MAX);
}

function weigh(wireBytes: number = ASSUMED_WIRE_BYTES): number {
  return ENTRY_BYTES + ENTRY_BYTES_PER_WIRE_BYTE * wireBytes;
}
