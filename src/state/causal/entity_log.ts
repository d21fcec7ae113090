/**
 * The events of one entity, in memory, checked one by one as they are appended (`storage.md` 7).
 *
 * What is pruned is gone but for its last event, which stays as the base that the next one is checked against.
 */
import { deriveOriginHash } from "../../core/crypto/mod.ts";
import { equalBytes } from "../../base/mod.ts";
import {
  type CausalEvent,
  type ChainFault,
  checkLink,
  eventHash,
  genesisEvent,
  isSameLink,
} from "./causal_link.ts";
import { CausalError } from "./error.ts";
import { LOG_BYTES_MAX, LOG_EVENTS_MAX, LOG_RESTORES_MAX } from "./limits.ts";
import type { StateSnapshot } from "./state_snapshot.ts";

/** Why an event is not appended; `full` until something is pruned. */
export type AppendFault =
  | ChainFault
  | { readonly kind: "duplicate"; readonly sequence: bigint }
  | { readonly kind: "full" };

/** Bounds of a log. */
export interface EntityLogOptions {
  /** 1,000,000 when left out. */
  readonly eventsMax?: number;
  /** Bytes of payloads; 256 MiB when left out. */
  readonly bytesMax?: number;
}

/** A chain as its readers keep it. */
export class EntityLog {
  readonly entityId: Uint8Array;
  readonly origin: bigint;
  /** Without gaps. */
  #events: CausalEvent[] = [];
  #base: CausalEvent;
  /** Number of an event to the hash that its successor may have as parent besides its own. */
  readonly #restores = new Map<bigint, bigint>();
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  #bytes = 0;

  /** A log without events. */
  constructor(entityId: Uint8Array, options: EntityLogOptions = {}) {
    this.#eventsMax = options.eventsMax ?? LOG_EVENTS_MAX;
    this.#bytesMax = options.bytesMax ?? LOG_BYTES_MAX;
    this.entityId = entityId.slice();
    this.origin = deriveOriginHash(entityId);
    this.#base = genesisEvent(this.origin);
  }

  /**
   * A log that starts behind a snapshot.
   *
   * @param headPayload Payload of the event that the snapshot ends with, if it is known; with it the log also
   * takes the events of a chain that was never restored.
   * @throws CausalError `snapshot` when link and entity do not belong together.
   */
  static afterSnapshot(
    snapshot: StateSnapshot,
    headPayload?: Uint8Array,
    options?: EntityLogOptions,
  ): EntityLog {
    const log = new EntityLog(snapshot.entityId, options);
    const { link, state } = snapshot;
    if (link.origin !== log.origin) throw notOfLog("its link has another origin");
    log.#base = { link, payload: headPayload ?? state };
    if (headPayload !== undefined) log.#restores.set(link.sequence, eventHash(link, state));
    return log;
  }

  /**
   * A log that starts behind an event known from elsewhere, such as the genesis of a fork.
   *
   * @throws CausalError `snapshot` when the event is not of the entity.
   */
  static after(entityId: Uint8Array, base: CausalEvent, options?: EntityLogOptions): EntityLog {
    const log = new EntityLog(entityId, options);
    if (base.link.origin !== log.origin) throw notOfLog("the event has another origin");
    log.#base = base;
    return log;
  }

  /** Last event; the base when there is none. */
  get head(): CausalEvent {
    return this.#events.at(-1) ?? this.#base;
  }

  /** The event in front of the first one kept: genesis, the last pruned one, or that of a snapshot. */
  get base(): CausalEvent {
    return this.#base;
  }

  get size(): number {
    return this.#events.length;
  }

  /** Bytes of the payloads that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends an event that continues the chain.
   *
   * @param event Kept, not copied: a payload that lies in a buffer of somebody else's is copied before.
   * @returns Why it was not appended; `undefined` when it was. Genesis itself is fine on an empty log and not kept.
   */
  append(event: CausalEvent): AppendFault | undefined {
    const { link, payload } = event;
    const head = this.head;
    if (link.origin !== this.origin) {
      return { kind: "origin_mismatch", expected: this.origin, found: link.origin };
    }
    if (this.#events.length > 0 && link.sequence <= head.link.sequence) {
      return { kind: "duplicate", sequence: link.sequence };
    }
    const isGenesis = link.sequence === 0n && this.#events.length === 0;
    if (isGenesis && isSameLink(link, head.link) && payload.length === 0) return undefined;
    const fault = this.checkNext(head, link);
    if (fault !== undefined) return fault;
    const bytes = this.#bytes + payload.length;
    if (this.#events.length >= this.#eventsMax || bytes > this.#bytesMax) return { kind: "full" };
    this.#events.push(event);
    this.#bytes = bytes;
    return undefined;
  }

  /** What is wrong with a link behind an event of this log, restores taken into account. */
  checkNext(previous: CausalEvent, link: CausalEvent["link"]): ChainFault | undefined {
    const restored = this.#restores.get(previous.link.sequence);
    return checkLink(previous, link, restored === undefined ? [] : [restored]);
  }

  /**
   * Lets the next event have the parent hash that a restore from this snapshot gives it (`storage.md` 7.1), beside
   * the one of an unbroken chain. The last 1,024 such places are remembered.
   *
   * @throws CausalError `snapshot` when it is not a snapshot of the log's head.
   */
  noteRestore(snapshot: StateSnapshot): void {
    if (!equalBytes(snapshot.entityId, this.entityId)) throw notOfLog("it is of another entity");
    const { link } = this.head;
    if (!isSameLink(link, snapshot.link)) throw notOfLog("the log ends with another event");
    if (this.#restores.size >= LOG_RESTORES_MAX) {
      const [oldest] = this.#restores.keys();
      if (oldest !== undefined) this.#restores.delete(oldest);
    }
    this.#restores.set(link.sequence, eventHash(link, snapshot.state));
  }

  /** The event of this number, the base among them; `undefined` when it is not here. */
  at(sequence: bigint): CausalEvent | undefined {
    return sequence === this.#base.link.sequence ? this.#base : this.range(sequence, sequence)[0];
  }

  /** Events `from` ≤ number ≤ `to`. */
  range(from: bigint, to: bigint): readonly CausalEvent[] {
    const first = this.#base.link.sequence + 1n;
    const start = from <= first ? 0n : from - first;
    const end = to < first ? 0n : to - first + 1n;
    const size = BigInt(this.#events.length);
    if (start >= size || end <= start) return [];
    return this.#events.slice(Number(start), Number(end < size ? end : size));
  }

  /** Events with a higher number. */
  after(sequence: bigint): readonly CausalEvent[] {
    return this.range(sequence + 1n, this.head.link.sequence);
  }

  /** Forgets events up to this number; how many went. The last of them becomes the base. */
  pruneThrough(sequence: bigint): number {
    const gone = this.range(0n, sequence);
    const last = gone.at(-1);
    if (last === undefined) return 0;
    this.#base = last;
    this.#events = this.#events.slice(gone.length);
    this.#bytes -= payloadBytes(gone);
    for (const place of this.#restores.keys()) {
      if (place < last.link.sequence) this.#restores.delete(place);
    }
    return gone.length;
  }

  /** Takes away the events above this number, which another chain takes the place of, and returns them. */
  truncateAfter(sequence: bigint): readonly CausalEvent[] {
    const gone = this.after(sequence);
    this.#events.length -= gone.length;
    this.#bytes -= payloadBytes(gone);
    for (const place of this.#restores.keys()) {
      if (place > this.head.link.sequence) this.#restores.delete(place);
    }
    return gone;
  }
}

function payloadBytes(events: readonly CausalEvent[]): number {
  return events.reduce((sum, { payload }) => sum + payload.length, 0);
}

function notOfLog(why: string): CausalError {
  return new CausalError(
    "snapshot",
    `Cannot use snapshot for log: ${why}`,
    "use a snapshot that was taken of this entity at the head of this log",
  );
}
