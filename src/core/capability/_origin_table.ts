/**
 * The bounded table behind the announcement store: live origins, and the marks of those that are gone.
 *
 * Origins that speak for themselves come before those that neighbours tell of: a direct one takes the
 * place of the longest known forwarded one when the table is full, a forwarded one is refused.
 */
import { TokenBucket } from "../../base/mod.ts";
import type { SignatureVerifier } from "../crypto/mod.ts";
import type { Announcement } from "./announcement.ts";
import {
  ANNOUNCEMENT_LIFE_MS_MAX,
  ORIGIN_BURST,
  ORIGIN_PER_SECOND,
  PAST_ORIGIN_MS,
  VERIFIERS_MAX,
} from "./limits.ts";

const NO_HELP: OriginHelp = { isCanonical: false, verifier: undefined };
const NOTHING: Readonly<OriginLoad> = { count: 0, bytes: 0, terms: 0 };
/** A full table looks for expired entries this often at most, not on every message. */
const EXPIRE_GAP_MS = 1_000;

/** What announcements take; one, or many together. */
export interface OriginLoad {
  count: number;
  /** On the wire. */
  bytes: number;
  /** Tags and metadata entries. */
  terms: number;
}

/** Where an announcement came from and what it takes. */
export interface OriginPlace {
  readonly from: bigint;
  readonly isDirect: boolean;
  readonly load: Readonly<OriginLoad>;
}

/** A live origin. */
export interface OriginEntry {
  readonly announcement: Announcement;
  readonly expiresAt: number;
  /** Kept from before a restart, and not heard of again since. */
  readonly isStale: boolean;
}

/** What makes the next announcement of an origin cheaper to take in. */
export interface OriginHelp {
  /** It came in canonical form, so that the next one can be compared with it. */
  readonly isCanonical: boolean;
  /** Its key, made ready; not for all origins. */
  readonly verifier: SignatureVerifier | undefined;
}

/** A live origin, as the table has it. */
export interface LiveOrigin extends OriginEntry {
  readonly help: OriginHelp;
  readonly place: OriginPlace;
  /** Allowance for new versions. */
  readonly bucket: TokenBucket;
}

type Entry = { -readonly [Name in keyof LiveOrigin]: LiveOrigin[Name] };

/** What stays of an origin that is gone; its own fields and the announcement's signed ones only. */
interface PastOrigin {
  readonly announcement: Pick<Announcement, "entityId" | "timestampNs">;
  readonly forgetAt: number;
  readonly bucket: TokenBucket;
}

/** Options of {@linkcode OriginTable}. */
export interface OriginTableOptions {
  readonly originsMax: number;
  readonly originsPerNeighborMax: number;
  readonly bytesMax: number;
  readonly termsMax: number;
}

/** Origins by node id. */
export class OriginTable {
  readonly #originsMax: number;
  readonly #loadMax: Readonly<OriginLoad>;
  /** Part of one neighbour that forwards. */
  readonly #shareMax: Readonly<OriginLoad>;
  readonly #entries = new Map<bigint, Entry>();
  /** In the order they went. */
  readonly #past = new Map<bigint, PastOrigin>();
  /** Nodes that ended since the last sweep. */
  readonly #ended = new Set<bigint>();
  /** Forwarded origins per neighbour. */
  readonly #perNeighbor = new Map<bigint, OriginLoad>();
  readonly #all: OriginLoad = { ...NOTHING };
  readonly #forwarded: OriginLoad = { ...NOTHING };
  /** Keys kept ready. */
  #verifiers = 0;
  #expiredAt = -Infinity;

  constructor({ originsMax, originsPerNeighborMax, bytesMax, termsMax }: OriginTableOptions) {
    const share = originsPerNeighborMax / originsMax;
    this.#originsMax = originsMax;
    this.#loadMax = { count: originsMax, bytes: bytesMax, terms: termsMax };
    this.#shareMax = {
      count: originsPerNeighborMax,
      bytes: bytesMax * share,
      terms: termsMax * share,
    };
  }

  /** Live origins, expired ones included until they are swept. */
  get size(): number {
    return this.#entries.size;
  }

  /** Entries, expired ones included until they are swept. */
  values(): IterableIterator<OriginEntry> {
    return this.#entries.values();
  }

  /** The entry of a node, even when it expired since the last sweep. */
  find(nodeId: bigint): LiveOrigin | undefined {
    return this.#entries.get(nodeId);
  }

  /** The live entry of a node. */
  live(nodeId: bigint, nowMs: number): LiveOrigin | undefined {
    const entry = this.#entries.get(nodeId);
    if (entry === undefined || entry.expiresAt > nowMs) return entry;
    this.retire(nodeId, nowMs);
    return undefined;
  }

  /** True when one more key may be kept ready. */
  get hasRoomForVerifier(): boolean {
    return this.#verifiers < VERIFIERS_MAX;
  }

  /** What is remembered of a node that is gone. */
  past(nodeId: bigint, nowMs: number): PastOrigin | undefined {
    const past = this.#past.get(nodeId);
    return past !== undefined && past.forgetAt > nowMs ? past : undefined;
  }

  /** The allowance of a node that has no entry: what was left of it when it went, or a fresh one. */
  bucket(nodeId: bigint, nowMs: number): TokenBucket {
    return this.past(nodeId, nowMs)?.bucket ??
      new TokenBucket({ perSecond: ORIGIN_PER_SECOND, burst: ORIGIN_BURST }, nowMs);
  }

  /**
   * True when {@linkcode OriginTable.set} would keep the bounds.
   *
   * @param known Place of the node's entry.
   */
  hasRoom(known: OriginPlace | undefined, place: OriginPlace, nowMs: number): boolean {
    // A direct one may push forwarded ones out, so only direct ones stand in its way.
    const ignored = place.isDirect ? this.#forwarded : NOTHING;
    const isReplaced = known !== undefined && (known.isDirect || !place.isDirect);
    const replaced = isReplaced ? known.load : NOTHING;
    const isFull = () => !fits(place.load, this.#all, ignored, replaced, this.#loadMax);
    if (isFull() && nowMs - this.#expiredAt >= EXPIRE_GAP_MS) this.#expire(nowMs);
    // A caller that does not sweep gets nothing new, instead of a list of ended nodes without bound.
    if (isFull() || this.#ended.size >= 2 * this.#originsMax) return false;
    return place.isDirect || this.#isWithinShare(known, place);
  }

  /** True when what a neighbour forwards, with this, is no more than its part of the table. */
  #isWithinShare(known: OriginPlace | undefined, { from, load }: OriginPlace): boolean {
    const held = this.#perNeighbor.get(from) ?? NOTHING;
    const isCounted = known !== undefined && !known.isDirect && known.from === from;
    return fits(load, held, isCounted ? known.load : NOTHING, NOTHING, this.#shareMax);
  }

  /** Keeps an announcement whose room was checked. */
  set(
    announcement: Announcement,
    place: OriginPlace,
    { bucket, help }: { readonly bucket: TokenBucket; readonly help: OriginHelp },
    nowMs: number,
  ): void {
    const { nodeId } = announcement;
    this.#remove(nodeId);
    this.#past.delete(nodeId);
    this.#ended.delete(nodeId);
    this.#makeRoom(place, nowMs);
    const lifeMs = Math.min(announcement.ttlSeconds * 1000, ANNOUNCEMENT_LIFE_MS_MAX);
    const expiresAt = nowMs + lifeMs;
    this.#entries.set(nodeId, { announcement, place, bucket, help, expiresAt, isStale: false });
    this.#count(place, 1);
    if (help.verifier !== undefined) this.#verifiers += 1;
  }

  /** Puts an announcement from before a restart into free room; false when there is none, or a newer. */
  restore(
    announcement: Announcement,
    load: Readonly<OriginLoad>,
    expiresAt: number,
    nowMs: number,
  ): boolean {
    const { nodeId } = announcement;
    // As if it had been told by its origin's name alone: neither direct nor held against a neighbour.
    const place = { from: nodeId, isDirect: false, load };
    const isFull = !fits(load, this.#all, NOTHING, NOTHING, this.#loadMax);
    if (this.#entries.has(nodeId) || isFull) return false;
    const bucket = this.bucket(nodeId, nowMs);
    this.#entries.set(nodeId, {
      announcement,
      place,
      bucket,
      help: NO_HELP,
      expiresAt,
      isStale: true,
    });
    this.#count(place, 1);
    return true;
  }

  /** Notes that a node speaks for itself now. */
  confirm(nodeId: bigint): void {
    const entry = this.#entries.get(nodeId);
    if (entry === undefined) return;
    entry.isStale = false;
    if (entry.place.isDirect) return;
    this.#count(entry.place, -1);
    entry.place = { ...entry.place, from: nodeId, isDirect: true };
    this.#count(entry.place, 1);
  }

  /** Ends an entry; its timestamp and key stay known for a while. */
  retire(nodeId: bigint, nowMs: number): void {
    const entry = this.#remove(nodeId);
    if (entry === undefined) return;
    this.#ended.add(nodeId);
    if (this.#past.size >= this.#originsMax) {
      for (const oldest of this.#past.keys()) {
        this.#past.delete(oldest);
        break;
      }
    }
    const { entityId, timestampNs } = entry.announcement;
    this.#past.set(nodeId, {
      announcement: { entityId, timestampNs },
      forgetAt: nowMs + PAST_ORIGIN_MS,
      bucket: entry.bucket,
    });
  }

  /** Ends what expired; returns the nodes that ended since the last sweep, for whatever reason. */
  sweep(nowMs: number): bigint[] {
    this.#expire(nowMs);
    return this.takeEnded();
  }

  /** The nodes that ended since they were taken last, for whatever reason. */
  takeEnded(): bigint[] {
    if (this.#ended.size === 0) return [];
    const ended = [...this.#ended];
    this.#ended.clear();
    return ended;
  }

  #expire(nowMs: number): void {
    this.#expiredAt = nowMs;
    for (const [nodeId, entry] of this.#entries) {
      if (entry.expiresAt <= nowMs) this.retire(nodeId, nowMs);
    }
    for (const [nodeId, past] of this.#past) {
      if (past.forgetAt > nowMs) break;
      this.#past.delete(nodeId);
    }
  }

  #makeRoom({ load }: OriginPlace, nowMs: number): void {
    while (!fits(load, this.#all, NOTHING, NOTHING, this.#loadMax)) {
      const victim = this.#oldestForwarded();
      if (victim === undefined) return;
      this.retire(victim, nowMs);
    }
  }

  #oldestForwarded(): bigint | undefined {
    for (const [nodeId, { place }] of this.#entries) if (!place.isDirect) return nodeId;
    return undefined;
  }

  #remove(nodeId: bigint): Entry | undefined {
    const entry = this.#entries.get(nodeId);
    if (entry === undefined) return undefined;
    this.#entries.delete(nodeId);
    this.#count(entry.place, -1);
    if (entry.help.verifier !== undefined) this.#verifiers -= 1;
    return entry;
  }

  #count({ from, isDirect, load }: OriginPlace, sign: 1 | -1): void {
    addTo(this.#all, load, sign);
    if (isDirect) return;
    addTo(this.#forwarded, load, sign);
    const share = this.#perNeighbor.get(from) ?? { ...NOTHING };
    addTo(share, load, sign);
    if (share.count > 0) this.#perNeighbor.set(from, share);
    else this.#perNeighbor.delete(from);
  }
}

/** What one announcement takes that has so many bytes on the wire. */
export function loadOf({ capabilities }: Announcement, bytes: number): Readonly<OriginLoad> {
  return { count: 1, bytes, terms: capabilities.tags.length + capabilities.metadata.size };
}

/** True when one more fits beside all that is held but `ignored` and `replaced`. */
function fits(
  more: Readonly<OriginLoad>,
  held: Readonly<OriginLoad>,
  ignored: Readonly<OriginLoad>,
  replaced: Readonly<OriginLoad>,
  max: Readonly<OriginLoad>,
): boolean {
  return held.count - ignored.count - replaced.count + more.count <= max.count &&
    held.bytes - ignored.bytes - replaced.bytes + more.bytes <= max.bytes &&
    held.terms - ignored.terms - replaced.terms + more.terms <= max.terms;
}

function addTo(sum: OriginLoad, load: Readonly<OriginLoad>, sign: 1 | -1): void {
  sum.count += sign * load.count;
  sum.bytes += sign * load.bytes;
  sum.terms += sign * load.terms;
}
