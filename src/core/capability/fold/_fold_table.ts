/**
 * The entries of one fold, by key and by publisher, within a bound (`capabilities.md` 11).
 *
 * When the memory is full, room is made for a publisher that has less than an equal share, by the oldest
 * entries of whoever has most. So one publisher, or a few, can crowd nobody out.
 */
import type { FoldEntry, FoldKey } from "./entry.ts";
import type { FoldKindNumber } from "./kinds.ts";

/** Bounds of a {@linkcode FoldTable}. */
export interface FoldTableOptions {
  /** This node: always has room, and is never asked to make some. */
  readonly nodeId: bigint;
  readonly bytesMax: number;
  readonly entriesPerPublisherMax: number;
}

/** What one publisher has. */
interface Share {
  /** The longest unchanged first. */
  readonly keys: Set<FoldKey>;
  bytes: number;
}

/** What has to go so that an entry fits, or why it does not. */
export type Room<Kind extends FoldKindNumber> =
  | { readonly victims: readonly FoldEntry<Kind>[] }
  | "publisher_full"
  | "full";

/** Entries and who published them. */
export class FoldTable<Kind extends FoldKindNumber> {
  readonly #options: FoldTableOptions;
  readonly #entries = new Map<FoldKey, FoldEntry<Kind>>();
  readonly #shares = new Map<bigint, Share>();
  #bytes = 0;

  constructor(options: FoldTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: FoldKey): FoldEntry<Kind> | undefined {
    return this.#entries.get(key);
  }

  /** All entries; they may be removed while iterating. */
  values(): IterableIterator<FoldEntry<Kind>> {
    return this.#entries.values();
  }

  /** Entries of one publisher, a copy. */
  of(nodeId: bigint): FoldEntry<Kind>[] {
    const keys = this.#shares.get(nodeId)?.keys ?? [];
    return [...keys].flatMap((key) => this.#entries.get(key) ?? []);
  }

  /** What has to go so that `bytes` more of a publisher fit in the place of `known`. */
  room(nodeId: bigint, bytes: number, known: FoldEntry<Kind> | undefined): Room<Kind> {
    const { bytesMax, entriesPerPublisherMax } = this.#options;
    const isOwn = nodeId === this.#options.nodeId;
    const share = this.#shares.get(nodeId);
    const ownKnown = known !== undefined && known.envelope.nodeId === nodeId ? known : undefined;
    const count = (share?.keys.size ?? 0) - (ownKnown === undefined ? 0 : 1);
    if (!isOwn && count >= entriesPerPublisherMax) return "publisher_full";
    let excess = this.#bytes - (known?.bytes ?? 0) + bytes - bytesMax;
    if (excess <= 0) return { victims: [] };
    const publishers = this.#shares.size + (share === undefined ? 1 : 0);
    const held = (share?.bytes ?? 0) - (ownKnown?.bytes ?? 0) + bytes;
    if (!isOwn && held > bytesMax / publishers) return "full";
    const victims: FoldEntry<Kind>[] = [];
    for (const victim of this.#ofLargest(nodeId)) {
      if (excess <= 0) break;
      if (victim === known) continue;
      victims.push(victim);
      excess -= victim.bytes;
    }
    return excess <= 0 ? { victims } : "full";
  }

  /** Puts an entry in the place of the one with its key. */
  set(entry: FoldEntry<Kind>): void {
    const { nodeId } = entry.envelope;
    const { key, bytes } = entry;
    this.remove(key);
    this.#entries.set(key, entry);
    this.#bytes += bytes;
    const share = this.#shares.get(nodeId);
    if (share === undefined) this.#shares.set(nodeId, { keys: new Set([key]), bytes });
    else {
      share.keys.add(key);
      share.bytes += bytes;
    }
  }

  /** Takes an entry away. */
  remove(key: FoldKey): FoldEntry<Kind> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const { nodeId } = entry.envelope;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    const share = this.#shares.get(nodeId);
    if (share === undefined) return entry;
    share.keys.delete(key);
    share.bytes -= entry.bytes;
    if (share.keys.size === 0) this.#shares.delete(nodeId);
    return entry;
  }

  /** Entries of the publisher that has most, oldest first; nobody's for this node and `except`. */
  #ofLargest(except: bigint): FoldEntry<Kind>[] {
    let largest: bigint | undefined;
    let bytes = 0;
    for (const [nodeId, share] of this.#shares) {
      if (nodeId === except || nodeId === this.#options.nodeId || share.bytes <= bytes) continue;
      [largest, bytes] = [nodeId, share.bytes];
    }
    return largest === undefined ? [] : this.of(largest);
  }
}
