/** Who did what to a fold, for operators and tests (`capabilities.md` 11). */
import type { FoldKey, FoldRejection } from "./entry.ts";
import type { FoldKindNumber } from "./kinds.ts";
import { AUDIT_RING_CAPACITY } from "./limits.ts";

/** What happened to an entry. */
export type FoldAction = "created" | "replaced" | "rejected" | "evicted" | "expired";

/** One record. */
export interface FoldAuditEvent {
  readonly kind: FoldKindNumber;
  /** An action, or the name of something that only one service does. */
  readonly action: FoldAction | { readonly custom: string };
  readonly key: FoldKey;
  readonly nodeId: bigint;
  readonly generation: bigint;
  /** Unix microseconds. */
  readonly atUs: bigint;
  /** Only of what was rejected. */
  readonly reason?: FoldRejection;
}

/** Takes records; must not throw. */
export interface FoldAuditSink {
  record(event: FoldAuditEvent): void;
}

/** Keeps every record: for tests and short runs, because it grows as long as it lives. */
export class AuditList implements FoldAuditSink {
  readonly #events: FoldAuditEvent[] = [];

  /** The records, oldest first. */
  get events(): readonly FoldAuditEvent[] {
    return this.#events;
  }

  record(event: FoldAuditEvent): void {
    this.#events.push(event);
  }
}

/**
 * Keeps the latest records.
 *
 * @example
 * ```ts
 * import { AuditRing } from "./audit.ts";
 * const ring = new AuditRing(2);
 * const event = { kind: 3, key: 5n, nodeId: 1n, generation: 1n, atUs: 0n } as const;
 * for (const action of ["created", "replaced", "expired"] as const) ring.record({ ...event, action });
 * console.assert(ring.events.map((event) => event.action).join() === "replaced,expired");
 * ```
 */
export class AuditRing implements FoldAuditSink {
  readonly #capacity: number;
  #events: FoldAuditEvent[] = [];
  #next = 0;

  /** @param capacity Records kept, at least 1. */
  constructor(capacity: number = AUDIT_RING_CAPACITY) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot keep an audit: capacity is ${capacity}, must be at least 1`);
    }
    this.#capacity = capacity;
  }

  /** The records, oldest first. */
  get events(): readonly FoldAuditEvent[] {
    return [...this.#events.slice(this.#next), ...this.#events.slice(0, this.#next)];
  }

  record(event: FoldAuditEvent): void {
    this.#events[this.#next] = event;
    this.#next = (this.#next + 1) % this.#capacity;
  }
}
