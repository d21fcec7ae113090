/**
 * What this node says of itself: the operator's own words, and what each running service adds
 * (`capabilities.md` 6, "Contents").
 *
 * The signed announcement follows every change at once, so that the gates, which look at the own entry,
 * never lag behind a handler (promise C8). When it is sent is the capability service's business.
 */
import { type Clock, NetError } from "../../base/mod.ts";
import {
  type Announcement,
  encodeAnnouncement,
  localAnnouncement,
  nextAnnouncementVersion,
} from "../../core/capability/mod.ts";
import type { Identity } from "../../core/crypto/mod.ts";
import { type CapabilityBaseline, EMPTY_BASELINE } from "./baseline.ts";

/** Tags and metadata that somebody adds to the node's announcement. */
export interface CapabilityFacts {
  readonly tags: readonly string[];
  readonly metadata?: readonly (readonly [string, string])[];
  /** `ip:port` or `[ipv6]:port` at which others see this node; of several the last one counts. */
  readonly reflexAddress?: string;
  /**
   * Gives way: while the whole does not fit, only the first half of its tags is announced, or a quarter, and so on.
   * For what is useful and not needed, the most useful first.
   */
  readonly isYielding?: boolean;
}

/** How far the node's announcements have come; others refuse what is behind it. */
export interface AnnouncementMark {
  readonly version: bigint;
  /** Unix milliseconds. */
  readonly wallMs: number;
}

/** What {@linkcode OwnCapabilities} needs. */
export interface OwnCapabilitiesDeps {
  readonly clock: Clock;
  readonly identity: Identity;
  /** Seconds that an announcement lives. */
  readonly ttlSeconds: () => number;
}

/** The node's own announcement and what it is made of. */
export class OwnCapabilities {
  readonly #deps: OwnCapabilitiesDeps;
  readonly #sources = new Map<string, CapabilityFacts>();
  #baseline = EMPTY_BASELINE;
  #mark: AnnouncementMark = { version: 0n, wallMs: 0 };
  #announcement: Announcement;
  #bytes: Uint8Array;

  constructor(deps: OwnCapabilitiesDeps) {
    this.#deps = deps;
    this.#announcement = this.#sign(this.#baseline, this.#sources);
    this.#bytes = encodeAnnouncement(this.#announcement);
  }

  /** The newest announcement. */
  get announcement(): Announcement {
    return this.#announcement;
  }

  /** The newest announcement as it is sent. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** How far the announcements have come. */
  get mark(): AnnouncementMark {
    return this.#mark;
  }

  /** What the operator says. */
  get baseline(): CapabilityBaseline {
    return this.#baseline;
  }

  /** Names of those that add something. */
  get sources(): readonly string[] {
    return [...this.#sources.keys()];
  }

  /**
   * Replaces what `source` adds; `undefined` takes it away.
   *
   * @throws NetError `limit` when the whole does not fit in one announcement; nothing changes then.
   * @throws RangeError when a tag is empty or no valid Unicode.
   */
  contribute(source: string, facts: CapabilityFacts | undefined): void {
    const sources = new Map(this.#sources);
    if (facts === undefined) sources.delete(source);
    else sources.set(source, facts);
    this.#set(this.#baseline, sources);
    this.#sources.clear();
    for (const [name, kept] of sources) this.#sources.set(name, kept);
  }

  /**
   * Replaces what the operator says.
   *
   * @throws As {@linkcode OwnCapabilities.contribute}; RangeError for lists that are too long as well.
   */
  setBaseline(baseline: CapabilityBaseline): void {
    this.#set(baseline, this.#sources);
    this.#baseline = baseline;
  }

  /**
   * Goes on behind what the node announced before it was restarted, also when its clock has been set back:
   * peers would refuse an older version or time for as long as they remember the last one.
   */
  continueFrom(mark: AnnouncementMark): void {
    this.#advance(mark.version, mark.wallMs);
    this.renew();
  }

  /** Says the same again, under a new version and time. */
  renew(): void {
    this.#set(this.#baseline, this.#sources);
  }

  #set(baseline: CapabilityBaseline, sources: ReadonlyMap<string, CapabilityFacts>): void {
    for (let share = 1;; share /= 2) {
      const { told, yielding } = partOf(sources, share);
      try {
        const announcement = this.#sign(baseline, told);
        this.#bytes = encodeAnnouncement(announcement);
        this.#announcement = announcement;
        return;
      } catch (error) {
        const isTooMuch = error instanceof NetError && error.code === "limit";
        if (!isTooMuch || yielding === 0) throw error;
      }
    }
  }

  #advance(version: bigint, wallMs: number): void {
    const mark = this.#mark;
    this.#mark = {
      version: version > mark.version ? version : mark.version,
      wallMs: Math.max(wallMs, mark.wallMs),
    };
  }

  #sign(
    baseline: CapabilityBaseline,
    sources: ReadonlyMap<string, CapabilityFacts>,
  ): Announcement {
    const { clock, identity, ttlSeconds } = this.#deps;
    const version = nextAnnouncementVersion(this.#mark.version, clock.wallMs());
    this.#advance(version, clock.wallMs());
    // The operator's word on a metadata key counts more than a service's.
    const all = [...sources.values(), baseline];
    return localAnnouncement({
      identity,
      tags: all.flatMap(({ tags }) => tags),
      metadata: all.flatMap(({ metadata = [] }) => metadata),
      version,
      wallMs: this.#mark.wallMs,
      ttlSeconds: ttlSeconds(),
      reflexAddress: [...sources.values()].findLast((facts) => facts.reflexAddress !== undefined)
        ?.reflexAddress,
      allowedNodes: baseline.allowedNodes,
      allowedSubnets: baseline.allowedSubnets,
      allowedGroups: baseline.allowedGroups,
    });
  }
}

/** What is told when of those that give way so much is: 1 for all of it; and how many tags that is. */
function partOf(
  sources: ReadonlyMap<string, CapabilityFacts>,
  share: number,
): { readonly told: ReadonlyMap<string, CapabilityFacts>; readonly yielding: number } {
  let yielding = 0;
  const told = new Map<string, CapabilityFacts>();
  for (const [name, facts] of sources) {
    const count = Math.floor(facts.tags.length * share);
    if (facts.isYielding) yielding += count;
    told.set(name, facts.isYielding ? { ...facts, tags: facts.tags.slice(0, count) } : facts);
  }
  return { told, yielding };
}
