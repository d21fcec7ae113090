/**
 * What other nodes announced: the latest of each origin, for as long as it lives (`capabilities.md` 6).
 *
 * Pure: bytes and the time go in, a verdict comes out; sending, routing and indexing are the caller's.
 * Cheap checks come first, and nothing is remembered of an announcement before its signature holds. A
 * copy that differs from what is known in nothing but its hop count is never verified again.
 *
 * Limit: a signed announcement does not age. Who forgot its origin (600 s after it was last valid) can
 * be told an old one again by any member of the mesh.
 */
import { equalBytes, TokenBucket } from "../../base/mod.ts";
import { createSignatureVerifier, deriveNodeId } from "../crypto/mod.ts";
import { loadOf, type OriginEntry, OriginTable } from "./_origin_table.ts";
import {
  type Announcement,
  type AnnouncementFault,
  announcementTranscript,
  encodeAnnouncement,
  forwardAnnouncement,
  readAnnouncement,
} from "./announcement.ts";
import type { AnnouncementForgery } from "./announcement_signature.ts";
import {
  ANNOUNCEMENT_BYTES_MAX,
  NEIGHBOR_BURST,
  NEIGHBOR_PER_SECOND,
  NEIGHBORS_MAX,
  ORIGIN_BYTES_MAX,
  ORIGIN_TERMS_MAX,
  ORIGINS_MAX,
  ORIGINS_PER_NEIGHBOR_MAX,
} from "./limits.ts";

/** Why an announcement changed nothing. */
export type AnnouncementDrop =
  | AnnouncementFault
  | AnnouncementForgery
  /** The neighbour sends too many. */
  | "neighbor_rate"
  /** The origin makes new versions too fast. */
  | "origin_rate"
  /** Never forwarded, yet from somebody else than its origin. */
  | "not_origin"
  /** This node's own, come back. */
  | "own"
  /** Another key holds the node id. */
  | "entity_conflict"
  /** Older than what is or was known. */
  | "stale"
  /** Known already. */
  | "duplicate"
  /** No room. */
  | "full";

/** What became of a message. */
export type AnnouncementVerdict =
  /** New: use it, learn the route, pass it on. */
  | {
    readonly kind: "accepted";
    readonly announcement: Announcement;
    /** Straight from its origin. */
    readonly isDirect: boolean;
    /** Metric of a route to the origin through the sender; `undefined` when direct. */
    readonly routeMetric: number | undefined;
    /** Bytes for the other peers; `undefined` when it went far enough. */
    readonly forward: Uint8Array | undefined;
  }
  /** Known through others or from before, and now heard from its origin itself. */
  | { readonly kind: "confirmed"; readonly announcement: Announcement }
  | { readonly kind: "dropped"; readonly reason: AnnouncementDrop };

/** Counters: `received_total` is the sum of all others. */
export interface AnnouncementCounters {
  received_total: number;
  accepted_total: number;
  confirmed_total: number;
  readonly dropped: Record<AnnouncementDrop, number>;
}

/** Options of {@linkcode AnnouncementStore}. */
export interface AnnouncementStoreOptions {
  /** This node. */
  readonly nodeId: bigint;
  /** Origins kept; 16384 when left out. */
  readonly originsMax?: number;
  /** Origins kept that one neighbour told of; half of all when left out. */
  readonly originsPerNeighborMax?: number;
  /** Bytes on the wire of all announcements kept; 32 MiB when left out. */
  readonly bytesMax?: number;
  /** Tags and metadata entries of all announcements kept; 393216 when left out. */
  readonly termsMax?: number;
}

/** Latest announcement per origin, and the gate in front of it. */
export class AnnouncementStore {
  readonly #nodeId: bigint;
  readonly #origins: OriginTable;
  readonly #neighbors = new Map<bigint, TokenBucket>();
  readonly #counters = createCounters();
  /** For what a signature covers, while it is checked. */
  readonly #room = new Uint8Array(ANNOUNCEMENT_BYTES_MAX);

  constructor(options: AnnouncementStoreOptions) {
    const originsMax = options.originsMax ?? ORIGINS_MAX;
    this.#nodeId = options.nodeId;
    this.#origins = new OriginTable({
      originsMax,
      originsPerNeighborMax: options.originsPerNeighborMax ??
        Math.min(ORIGINS_PER_NEIGHBOR_MAX, Math.ceil(originsMax / 2)),
      bytesMax: options.bytesMax ?? ORIGIN_BYTES_MAX,
      termsMax: options.termsMax ?? ORIGIN_TERMS_MAX,
    });
  }

  /** What was received and what became of it. */
  get counters(): Readonly<AnnouncementCounters> {
    return this.#counters;
  }

  /** Origins with a valid announcement; expired ones count until they are swept. */
  get size(): number {
    return this.#origins.size;
  }

  /**
   * Takes in one message.
   *
   * @param from Peer whose session it came through.
   * @param nowMs Milliseconds that never go backwards.
   */
  receive(bytes: Uint8Array, from: bigint, nowMs: number): AnnouncementVerdict {
    this.#counters.received_total += 1;
    const verdict = this.#judge(bytes, from, nowMs);
    if (verdict.kind === "accepted") this.#counters.accepted_total += 1;
    else if (verdict.kind === "confirmed") this.#counters.confirmed_total += 1;
    else this.#counters.dropped[verdict.reason] += 1;
    return verdict;
  }

  /** The valid announcement of a node. */
  get(nodeId: bigint, nowMs: number): Announcement | undefined {
    return this.#origins.live(nodeId, nowMs)?.announcement;
  }

  /** The valid announcement of a node, how long it holds, and whether it is from before a restart. */
  entry(nodeId: bigint, nowMs: number): OriginEntry | undefined {
    return this.#origins.live(nodeId, nowMs);
  }

  /**
   * Puts back an announcement that was kept over a restart; its signature was checked when it came.
   *
   * @param expiresAt By the clock of `nowMs`.
   * @returns False when it changes nothing: this node's own, a newer one is there, no room.
   */
  restore(announcement: Announcement, expiresAt: number, nowMs: number): boolean {
    if (announcement.nodeId === this.#nodeId || expiresAt <= nowMs) return false;
    const load = loadOf(announcement, encodeAnnouncement(announcement).length);
    return this.#origins.restore(announcement, load, expiresAt, nowMs);
  }

  /** All valid announcements, in no particular order. */
  *values(nowMs: number): Generator<Announcement, void, undefined> {
    for (const { announcement, expiresAt } of this.#origins.values()) {
      if (expiresAt > nowMs) yield announcement;
    }
  }

  /** Forgets what a node announced: the failure detector gave it up. Its old ones stay refused. */
  forget(nodeId: bigint, nowMs: number): void {
    this.#origins.retire(nodeId, nowMs);
  }

  /**
   * Drops what expired; to be called about once a second.
   *
   * @returns Nodes that have no announcement any more since the last call: expired, forgotten, or pushed
   * out by others.
   */
  sweep(nowMs: number): bigint[] {
    return this.#origins.sweep(nowMs);
  }

  /** As {@linkcode AnnouncementStore.sweep}, but leaves what expired and nobody looked at. */
  takeEnded(): bigint[] {
    return this.#origins.takeEnded();
  }

  #judge(bytes: Uint8Array, from: bigint, nowMs: number): AnnouncementVerdict {
    if (!this.#neighbor(from, nowMs).take(1, nowMs)) return drop("neighbor_rate");
    const decoded = readAnnouncement(bytes, this.#knownOf);
    if (!decoded.ok) return drop(decoded.fault);
    const { announcement, form } = decoded;
    const { nodeId } = announcement;
    const isDirect = announcement.hopCount === 0;
    if (isDirect && nodeId !== from) return drop("not_origin");
    if (nodeId === this.#nodeId) return drop("own");
    if (announcement.signature === undefined) return drop("unsigned");

    const origins = this.#origins;
    const known = origins.live(nodeId, nowMs);
    const past = known ?? origins.past(nodeId, nowMs);
    if (past !== undefined && !equalBytes(past.announcement.entityId, announcement.entityId)) {
      return drop("entity_conflict");
    }
    if (known !== undefined) {
      if (announcement.version < known.announcement.version) return drop("stale");
      if (announcement.version === known.announcement.version) {
        if (!isDirect || !isSame(announcement, known.announcement)) return drop("duplicate");
        origins.confirm(nodeId);
        return { kind: "confirmed", announcement: known.announcement };
      }
    } else if (past !== undefined) {
      // Versions may start again when a node does; its clock must not. Only the origin itself may
      // repeat what it said last.
      const age = announcement.timestampNs - past.announcement.timestampNs;
      if (age < 0n || (age === 0n && !isDirect)) return drop("stale");
    }

    const bucket = known?.bucket ?? origins.bucket(nodeId, nowMs);
    if (!bucket.has(1, nowMs)) return drop("origin_rate");
    const place = { from, isDirect, load: loadOf(announcement, bytes.length) };
    if (!origins.hasRoom(known?.place, place, nowMs)) return drop("full");
    // What is remembered of the origin was verified, its node id too.
    if (past === undefined && deriveNodeId(announcement.entityId) !== nodeId) {
      return drop("identity");
    }
    const kept = known?.help.verifier;
    const verifier = kept ?? createSignatureVerifier(announcement.entityId);
    const transcript = form?.transcript(this.#room) ?? announcementTranscript(announcement);
    if (verifier?.verify(transcript, announcement.signature) !== true) return drop("signature");
    bucket.take(1, nowMs);
    const keepsVerifier = kept !== undefined || origins.hasRoomForVerifier;
    const help = {
      isCanonical: form !== undefined,
      verifier: keepsVerifier ? verifier : undefined,
    };
    origins.set(announcement, place, { bucket, help }, nowMs);
    return {
      kind: "accepted",
      announcement,
      isDirect,
      routeMetric: isDirect ? undefined : announcement.hopCount + 2,
      forward: form === undefined ? forwardAnnouncement(announcement) : form.forward(),
    };
  }

  /** What a node announced, when the text of its next one may be compared with it. */
  readonly #knownOf = (nodeId: bigint): Announcement | undefined => {
    const entry = this.#origins.find(nodeId);
    return entry?.help.isCanonical === true ? entry.announcement : undefined;
  };

  #neighbor(from: bigint, nowMs: number): TokenBucket {
    const found = this.#neighbors.get(from);
    if (found !== undefined) return found;
    if (this.#neighbors.size >= NEIGHBORS_MAX) {
      // The longest known one starts afresh when it comes back.
      for (const oldest of this.#neighbors.keys()) {
        this.#neighbors.delete(oldest);
        break;
      }
    }
    const bucket = new TokenBucket(
      { perSecond: NEIGHBOR_PER_SECOND, burst: NEIGHBOR_BURST },
      nowMs,
    );
    this.#neighbors.set(from, bucket);
    return bucket;
  }
}

function drop(reason: AnnouncementDrop): AnnouncementVerdict {
  return { kind: "dropped", reason };
}

/** True when both say the same under the same signature. */
function isSame(left: Announcement, right: Announcement): boolean {
  return left.signature !== undefined && right.signature !== undefined &&
    equalBytes(left.signature, right.signature) &&
    equalBytes(announcementTranscript(left), announcementTranscript(right));
}

function createCounters(): AnnouncementCounters {
  return {
    received_total: 0,
    accepted_total: 0,
    confirmed_total: 0,
    dropped: {
      too_long: 0,
      malformed: 0,
      missing_member: 0,
      allow_list: 0,
      unsigned: 0,
      identity: 0,
      signature: 0,
      neighbor_rate: 0,
      origin_rate: 0,
      not_origin: 0,
      own: 0,
      entity_conflict: 0,
      stale: 0,
      duplicate: 0,
      full: 0,
    },
  };
}
