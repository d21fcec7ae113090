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
  WEIGHT_PER_TERM,
} from "./limits.ts";

const NO_HELP: OriginHelp = { isCanonical: false, verifier: undefined };
const NOTHING: Readonly<Tally> = { count: 0, weight: 0 };
/** A full table looks for expired entries this often at most, not on every message. */
const EXPIRE_GAP_MS = 1_000;

/** Where an announcement came from and what it takes. */
export interface OriginPlace {
  readonly from: bigint;
  readonly isDirect: boolean;
  /** Bytes of memory, as {@linkcode weightOf} counts them. */
  readonly weight: number;
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

/** Count and weight of some entries. */
interface Tally {
  count: number;
  weight: number;
}

/** Options of {@linkcode OriginTable}. */
export interface OriginTableOptions {
  readonly originsMax: number;
  readonly originsPerNeighborMax: number;
  readonly weightMax: number;
}

/** Origins by node id. */
export class OriginTable {
  readonly #options: OriginTableOptions;
  readonly #entries = new Map<bigint, Entry>();
  /** In the order they went. */
  readonly #past = new Map<bigint, PastOrigin>();
  /** Nodes that ended since the last sweep. */
  readonly #ended = new Set<bigint>();
  /** Forwarded origins per neighbour. */
  readonly #perNeighbor = new Map<bigint, Tally>();
  readonly #all: Tally = { count: 0, weight: 0 };
  readonly #forwarded: Tally = { count: 0, weight: 0 };
  /** Keys kept ready. */
  #verifiers = 0;
  #expiredAt = -Infinity;

  constructor(options: OriginTableOptions) {
    this.#options = options;
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
    const isFull = () =>
      place.isDirect
        ? this.#exceeds(place, known?.isDirect ? known : undefined, this.#forwarded)
        : this.#exceeds(place, known, NOTHING);
    if (isFull() && nowMs - this.#expiredAt >= EXPIRE_GAP_MS) this.#expire(nowMs);
    // A caller that does not sweep gets nothing new, instead of a list of ended nodes without bound.
    if (isFull() || this.#ended.size >= 2 * this.#options.originsMax) return false;
    return place.isDirect || this.#isWithinShare(known, place);
  }

  /** True when what a neighbour forwards, with this, is no more than its part of the table. */
  #isWithinShare(known: OriginPlace | undefined, { from, weight }: OriginPlace): boolean {
    const { originsMax, originsPerNeighborMax, weightMax } = this.#options;
    const { count, weight: held } = this.#perNeighbor.get(from) ?? NOTHING;
    const isCounted = known !== undefined && !known.isDirect && known.from === from;
    const replaced = isCounted ? known.weight : 0;
    const weightShare = weightMax * originsPerNeighborMax / originsMax;
    return (isCounted || count < originsPerNeighborMax) && held - replaced + weight <= weightShare;
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
  restore(announcement: Announcement, weight: number, expiresAt: number, nowMs: number): boolean {
    const { nodeId } = announcement;
    // As if it had been told by its origin's name alone: neither direct nor held against a neighbour.
    const place = { from: nodeId, isDirect: false, weight };
    if (this.#entries.has(nodeId) || this.#exceeds(place, undefined, NOTHING)) return false;
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
    if (this.#past.size >= this.#options.originsMax) {
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

  /** True when one more does not fit beside all entries but `replaced` and `ignored`. */
  #exceeds(
    place: OriginPlace,
    replaced: OriginPlace | undefined,
    ignored: Readonly<Tally>,
  ): boolean {
    const { originsMax, weightMax } = this.#options;
    const count = this.#all.count - ignored.count - (replaced === undefined ? 0 : 1);
    const weight = this.#all.weight - ignored.weight - (replaced?.weight ?? 0);
    return count >= originsMax || weight + place.weight > weightMax;
  }

  #makeRoom(place: OriginPlace, nowMs: number): void {
    while (this.#exceeds(place, undefined, NOTHING)) {
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

  #count(place: OriginPlace, sign: 1 | -1): void {
    addTo(this.#all, place, sign);
    if (place.isDirect) return;
    addTo(this.#forwarded, place, sign);
    const share = this.#perNeighbor.get(place.from) ?? { count: 0, weight: 0 };
    addTo(share, place, sign);
    if (share.count > 0) this.#perNeighbor.set(place.from, share);
    else this.#perNeighbor.delete(place.from);
  }
}

/**
 * Bytes of memory that an announcement takes, here and in the index: what it has on the wire, and something
 * for each tag and entry however short it is.
 */
export function weightOf({ capabilities }: Announcement, bytes: number): number {
  return bytes + WEIGHT_PER_TERM * (capabilities.tags.length + capabilities.metadata.size);
}

function addTo(tally: Tally, place: OriginPlace, sign: 1 | -1): void {
  tally.count += sign;
  tally.weight += sign * place.weight;
}
