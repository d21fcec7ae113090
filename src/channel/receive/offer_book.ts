/**
 * Who offers which channels, so that a subscriber need not name its publishers. A node of ours says in its
 * announcement which channels and prefixes it runs, as tags with their 64-bit hashes, and tells peers of new
 * ones at once. Nothing of it is proof: who is asked answers for itself.
 */
import { idToHex } from "../../base/mod.ts";
import { deriveChannelHash } from "../../core/crypto/mod.ts";
import type { ChannelId } from "../channel_id.ts";
import { OFFERING_PEERS_MAX, OFFERS_PER_PEER_MAX } from "../limits.ts";

const TAG_PREFIX = "channel:";

/** The tag of a channel or prefix. */
export function channelTag(hash: bigint): string {
  return `${TAG_PREFIX}${idToHex(hash)}`;
}

/** Hash of a name, or of a prefix with its last separator, as offers tell it. */
export function offerHash(nameOrPrefix: string): bigint {
  return deriveChannelHash(nameOrPrefix);
}

/** The hashes that an offer of this channel may have: its own, and those of all prefixes of its name. */
export function offerHashesOf({ name, hash }: ChannelId): readonly bigint[] {
  const hashes = [hash];
  for (let at = 0; at < name.length - 1; at++) {
    const letter = name[at];
    if (letter === "/" || letter === ".") hashes.push(deriveChannelHash(name.slice(0, at + 1)));
  }
  return hashes;
}

interface Offers {
  announced: ReadonlySet<bigint>;
  readonly told: Set<bigint>;
}

/** Offers by peer. */
export class OfferBook {
  readonly #peers = new Map<bigint, Offers>();
  readonly #byHash = new Map<bigint, Set<bigint>>();

  /** Peers that offer something. */
  get size(): number {
    return this.#peers.size;
  }

  /** A node announced these tags; what it announced before no longer holds. */
  onAnnouncement(peer: bigint, tags: readonly string[]): void {
    const hashes = new Set<bigint>();
    for (const tag of tags) {
      const hex = tag.startsWith(TAG_PREFIX) ? tag.slice(TAG_PREFIX.length) : "";
      if (/^[0-9a-f]{16}$/.test(hex)) hashes.add(BigInt(`0x${hex}`));
      if (hashes.size >= OFFERS_PER_PEER_MAX) break;
    }
    if (hashes.size === 0 && !this.#peers.has(peer)) return;
    const offers = this.#offersOf(peer);
    if (offers === undefined) return;
    const gone = offers.announced;
    offers.announced = hashes;
    for (const hash of hashes) this.#index(hash, peer);
    for (const hash of gone) if (!isOffered(offers, hash)) this.#unindex(hash, peer);
    this.#dropIfEmpty(peer, offers);
  }

  /** A peer told of channels it has just begun to run. */
  onOffer(peer: bigint, hashes: readonly bigint[]): void {
    const offers = this.#offersOf(peer);
    if (offers === undefined) return;
    for (const hash of hashes) {
      if (offers.told.size >= OFFERS_PER_PEER_MAX) break;
      offers.told.add(hash);
      this.#index(hash, peer);
    }
    this.#dropIfEmpty(peer, offers);
  }

  /** The peer is gone, and with it what it offered. */
  forget(peer: bigint): void {
    const offers = this.#peers.get(peer);
    if (offers === undefined) return;
    this.#peers.delete(peer);
    for (const hash of [...offers.announced, ...offers.told]) this.#unindex(hash, peer);
  }

  /** True when the peer offers one of the hashes. */
  isOffering(peer: bigint, hashes: readonly bigint[]): boolean {
    return hashes.some((hash) => this.#byHash.get(hash)?.has(peer));
  }

  /** Peers that offer one of the hashes. */
  offering(hashes: readonly bigint[]): ReadonlySet<bigint> {
    const peers = new Set<bigint>();
    for (const hash of hashes) {
      for (const peer of this.#byHash.get(hash) ?? []) peers.add(peer);
    }
    return peers;
  }

  #offersOf(peer: bigint): Offers | undefined {
    const known = this.#peers.get(peer);
    if (known !== undefined || this.#peers.size >= OFFERING_PEERS_MAX) return known;
    const offers: Offers = { announced: new Set(), told: new Set() };
    this.#peers.set(peer, offers);
    return offers;
  }

  #dropIfEmpty(peer: bigint, { announced, told }: Offers): void {
    if (announced.size === 0 && told.size === 0) this.#peers.delete(peer);
  }

  #index(hash: bigint, peer: bigint): void {
    const peers = this.#byHash.get(hash);
    if (peers === undefined) this.#byHash.set(hash, new Set([peer]));
    else peers.add(peer);
  }

  #unindex(hash: bigint, peer: bigint): void {
    const peers = this.#byHash.get(hash);
    peers?.delete(peer);
    if (peers?.size === 0) this.#byHash.delete(hash);
  }
}

function isOffered({ announced, told }: Offers, hash: bigint): boolean {
  return announced.has(hash) || told.has(hash);
}
