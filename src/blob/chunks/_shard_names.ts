/**
 * Which chunks certainly have no file: for puts of very many chunks, a look at the device for each takes longer than
 * the rest. What somebody else brings into a folder meanwhile is not seen; then a chunk is stored twice.
 */
import type { Disk } from "../../base/mod.ts";
import { isShard, parseChunkName, shardOf } from "./chunk_names.ts";

/** Look-ups in a folder after which its names are worth listing. */
const LOOKUPS_MANY = 8;

/** A folder with more names is looked at as before: 256 of a thousand take 25 MB. */
const NAMES_MAX = 1_000;

/** Names in the folders of one store. */
export class ShardNames {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #lookups = new Map<string, number>();
  /** Keys by folder; `undefined` for one with too many. */
  readonly #keys = new Map<string, Set<string> | undefined>();

  /** 1 for a folder that was listed and has none. */
  readonly #empty = new Uint8Array(256);

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** True when there is no file of a chunk, as far as this process knows. */
  isAbsent(key: string): boolean {
    const shard = shardOf(key);
    if (!this.#keys.has(shard)) {
      const lookups = (this.#lookups.get(shard) ?? 0) + 1;
      this.#lookups.set(shard, lookups);
      if (lookups < LOOKUPS_MANY) return false;
      this.#list(shard);
    }
    const keys = this.#keys.get(shard);
    return keys !== undefined && !keys.has(key);
  }

  /** True when no chunk whose hash begins with this byte has a file, as far as this process knows. */
  isEmpty(firstByte: number): boolean {
    return this.#empty[firstByte] === 1;
  }

  /** From now on there may be a file of this chunk. */
  note(key: string): void {
    const shard = shardOf(key);
    this.#empty[Number.parseInt(shard, 16)] = 0;
    const keys = this.#keys.get(shard);
    if (keys === undefined) return;
    keys.add(key);
    if (keys.size > NAMES_MAX) this.#keys.set(shard, undefined);
  }

  #list(shard: string): void {
    this.#lookups.delete(shard);
    const keys = new Set<string>();
    for (const { name } of isShard(shard) ? this.#disk.list(`${this.#folder}/${shard}`) : []) {
      const parsed = parseChunkName(shard, name);
      if (parsed !== undefined) keys.add(parsed.hash.toHex());
    }
    this.#keys.set(shard, keys.size > NAMES_MAX ? undefined : keys);
    if (keys.size === 0) this.#empty[Number.parseInt(shard, 16)] = 1;
  }
}
