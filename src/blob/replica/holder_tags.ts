/**
 * How a node says which blobs it holds (`dataforts.md` 15): by the tag of a chain's holder, where the chain
 * is the channel of the blob's root, `dataforts/blob/<hex>`. A Rust core that replicates such a channel says
 * the same.
 *
 * The tag has 64 bits of hash. Who finds a holder by it asks for the bytes and checks them; nothing is
 * believed because of the tag.
 */
import { chainClaimTag } from "../../core/capability/mod.ts";
import { deriveChannelHash } from "../../core/crypto/mod.ts";
import { HOLDER_TAGS_MAX } from "./limits.ts";

/** Channel of a chunk, as the core names it. */
const CHUNK_CHANNEL = "dataforts/blob/";

/** A blob that is here completely. */
export interface HeldRoot {
  /** By what others may ask for it: its address, and its root where that is another hash. */
  readonly names: readonly Uint8Array[];
  /** Copies on purpose are told first, then what is pinned, then the rest. */
  readonly rank: "replica" | "pinned" | "plain";
  /** Unix milliseconds; of the same rank the newest is told first. */
  readonly createdAtMs: number;
}

const RANKS = ["replica", "pinned", "plain"] as const;

/** The chain that stands for a hash. */
export function holderChain(hash: Uint8Array): bigint {
  return deriveChannelHash(CHUNK_CHANNEL + hash.toHex());
}

/**
 * The tag that says "this node holds it".
 *
 * @example
 * ```ts
 * import { holderTag } from "./holder_tags.ts";
 * console.assert(/^causal:[0-9a-f]{16}$/.test(holderTag(new Uint8Array(32))));
 * ```
 */
export function holderTag(hash: Uint8Array): string {
  return chainClaimTag({ chain: holderChain(hash), kind: "presence" });
}

/**
 * Every way in which a node may have said so: a core names the tip as well, which of a channel with one event
 * is 0, or 1 where it counts events.
 */
export function holderTagsOf(hash: Uint8Array): readonly string[] {
  const tag = holderTag(hash);
  return [tag, `${tag}:0`, `${tag}:1`];
}

/**
 * Tags of what a node holds, the most wanted first, each once.
 *
 * @param tagsMax At most so many; a blob with two names is told with both or not at all.
 */
export function chooseHolderTags(
  roots: Iterable<HeldRoot>,
  tagsMax = HOLDER_TAGS_MAX,
): readonly string[] {
  const ordered = [...roots].sort((a, b) =>
    RANKS.indexOf(a.rank) - RANKS.indexOf(b.rank) || b.createdAtMs - a.createdAtMs ||
    compareNames(a.names[0], b.names[0])
  );
  const tags = new Set<string>();
  for (const { names } of ordered) {
    const fresh = names.map(holderTag).filter((tag) => !tags.has(tag));
    if (tags.size + fresh.length > tagsMax) break;
    for (const tag of fresh) tags.add(tag);
  }
  return [...tags];
}

function compareNames(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  const [left, right] = [a?.toHex() ?? "", b?.toHex() ?? ""];
  return left < right ? -1 : Number(left > right);
}
