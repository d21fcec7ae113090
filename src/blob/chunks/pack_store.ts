/**
 * Many small chunks in few files: appended, found through an index, synced together.
 *
 * | part | what |
 * | --- | --- |
 * | `packs/<number>.pack` | records (`pack_record.ts`), only ever appended to |
 * | `packs/index.db` | where each chunk is (`pack_index.ts`); made anew from the packs when it is lost |
 *
 * Of every pack the index knows up to where it is safe: synced, and then indexed. What lies beyond is unsure after a
 * crash, or a sync that failed: a second sync of the same pages would prove nothing. Whatever is whole there is
 * appended again, and the flush that does it fails or makes all of it durable. In the same way a pack with more
 * dead bytes than live ones is given up.
 */
import { NetError, pause, systemClock, toHex, toNetError } from "../../base/mod.ts";
import { ReadAhead } from "./_read_ahead.ts";
import { type PackFiles, SyncFailure } from "./pack_files.ts";
import { FRESH_MAX, type PackIndex } from "./pack_index.ts";
import { chunkBytesOf, type PackPlace } from "./pack_place.ts";
import { toIndexError } from "./_index_error.ts";
import type { SmallChunks } from "../chunk_store.ts";
import { HASH_BYTES } from "../limits.ts";
import {
  encodeRecords,
  RECORD_HEADER_BYTES,
  type ScannedRecord,
  scanRecords,
} from "./pack_record.ts";
import { PACK_LIMITS, type PackLimits, type PackStoreOptions } from "./pack_options.ts";
import { SEAL_BYTES } from "./sealing.ts";
import { type PackedChunk, WaitingRecords } from "./waiting_records.ts";

/** Records gather up to here before they are written, too. */
const GATHER_RECORDS = 8_192;

/** Records that the index takes into its table in one go, and as often as there may be some. */
const SLICE_RECORDS = 4_096;
const SLICES_MAX = 2 * FRESH_MAX / SLICE_RECORDS;

/** Bytes that are kept from one write of many records to the next. */
const BUFFER_KEPT_MAX = 2 * 1024 * 1024;

interface Unsure {
  /** Where it begins. */
  readonly from: number;
  /** Everything whole counts, because the index lost track; otherwise what the index says. */
  readonly isAll: boolean;
}

/** The packs of one folder. */
export class PackStore {
  readonly #options: PackStoreOptions;
  readonly #limits: PackLimits;
  readonly #files: PackFiles;
  readonly #index: PackIndex;
  readonly #waiting: WaitingRecords;
  readonly #unsure = new Map<number, Unsure>();
  readonly #ahead: ReadAhead;
  /** For records that are written together. */
  #buffer = new Uint8Array(0);
  /** Packs that may be worth giving up. */
  readonly #candidates = new Set<number>();
  /** Set when what was put can be had no more: no flush may succeed until the next start. */
  #failure: NetError | undefined;

  /** Use `openPackStore`. */
  constructor(options: PackStoreOptions, files: PackFiles, index: PackIndex) {
    this.#options = options;
    this.#limits = { ...PACK_LIMITS, ...options.limits };
    this.#waiting = new WaitingRecords(this.#limits.gatherBytes);
    this.#files = files;
    this.#index = index;
    this.#ahead = new ReadAhead(files, index);
  }

  /** Bytes of all chunks. */
  get usedBytes(): number {
    return this.#index.liveBytes + this.#waiting.bytes;
  }

  /** True when a flush has more to do than to sync: a pack is worth giving up. */
  get isWasteful(): boolean {
    return this.#candidates.size > 0;
  }

  /** Size of a chunk. */
  has(hash: Uint8Array): number | undefined {
    const waiting = this.#waiting.get(toHex(hash));
    if (waiting !== undefined) return waiting.size;
    const place = this.#index.find(hash);
    return place && chunkBytesOf(place);
  }

  /**
   * Adds a chunk that is not here; durable with the next flush.
   *
   * @throws NetError when there is no room; then it was not added.
   */
  put(hash: Uint8Array, stored: Uint8Array, isSealed: boolean): void {
    const key = toHex(hash);
    const size = stored.length - (isSealed ? SEAL_BYTES : 0);
    const copy = this.#waiting.copyOf(stored);
    this.#waiting.set(key, { stored: copy, isSealed, size, isNew: true, isCopy: false });
    const isEnough = this.#waiting.fileBytes >= this.#limits.gatherBytes ||
      this.#waiting.count >= GATHER_RECORDS;
    if (!isEnough) return;
    try {
      this.#writeWaiting();
    } catch (error) {
      this.#waiting.take(key);
      throw error;
    }
  }

  /** Which of these chunks are here, by their number. */
  hasMany(hashes: Uint8Array, count: number): Set<number> {
    const found = this.#index.findMany(hashes, count);
    if (this.#waiting.count === 0) return found;
    for (let i = 0; i < count; i++) {
      const hash = hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES);
      if (this.#waiting.get(toHex(hash)) !== undefined) found.add(i);
    }
    return found;
  }

  /**
   * Adds chunks that are not here, each once, with one write; durable with the next flush.
   *
   * @param chunks In the form in which they are stored.
   * @throws NetError; then none was added.
   */
  putMany(chunks: SmallChunks, isSealed: boolean): void {
    if (chunks.count === 0) return;
    const fileBytes = chunks.bytes.length + chunks.count * RECORD_HEADER_BYTES;
    if (this.#buffer.length < fileBytes) this.#buffer = new Uint8Array(fileBytes);
    const buffer = this.#buffer.subarray(0, fileBytes);
    if (fileBytes > BUFFER_KEPT_MAX) this.#buffer = new Uint8Array(0);
    encodeRecords(buffer, chunks, isSealed);
    const { pack, at } = this.#files.append(buffer);
    this.#attempt(() => this.#index.setMany(chunks, { pack, at, isSealed }));
  }

  /** A chunk, not verified. */
  read(hash: Uint8Array): PackedChunk | undefined {
    const key = toHex(hash);
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return { ...waiting, stored: waiting.stored.slice() };
    const ahead = this.#ahead.take(key);
    if (ahead !== undefined) return ahead;
    const place = this.#index.find(hash);
    if (place === undefined) return undefined;
    const size = chunkBytesOf(place);
    const found = this.#files.read(place.pack, place.at, place.storedBytes);
    // A damaged header is a damaged record.
    if (found === undefined || toHex(found.record.hash) !== key) {
      return { stored: new Uint8Array(0), isSealed: true, size };
    }
    this.#ahead.note(place);
    return { stored: found.stored, isSealed: found.record.isSealed, size };
  }

  /** Forgets a chunk; its size. */
  remove(hash: Uint8Array): number | undefined {
    const waiting = this.#waiting.take(toHex(hash));
    const place = this.#attempt(() => this.#index.remove(hash));
    if (place !== undefined) this.#consider(place.pack);
    return place === undefined ? waiting?.size : chunkBytesOf(place);
  }

  /** When the pack of a chunk was written last. */
  putAtMs(hash: Uint8Array): number | undefined {
    const place = this.#index.find(hash);
    return place && this.#files.writtenAtMs(place.pack);
  }

  /** Hashes of all chunks above `after`, in hex and in order. */
  *list(after: string): Generator<string> {
    // Those that wait are written as soon as they are many.
    const waiting = this.#waiting.keys.filter((key) => key > after).sort().reverse();
    let last = Uint8Array.fromHex(after);
    for (let page = this.#index.page(last); page.length > 0; page = this.#index.page(last)) {
      for (const hash of page) {
        const key = toHex(hash);
        while ((waiting.at(-1) ?? "~") < key) yield waiting.pop() ?? "";
        if (waiting.at(-1) === key) waiting.pop();
        yield key;
        last = hash;
      }
    }
    yield* waiting.reverse();
  }

  /** True when a chunk is sealed; `undefined` when it is not here. */
  isSealed(hash: Uint8Array): boolean | undefined {
    return (this.#waiting.get(toHex(hash)) ?? this.#index.find(hash))?.isSealed;
  }

  /** Puts another form in the place of a chunk that is here; durable with the next flush. */
  replace(hash: Uint8Array, stored: Uint8Array, isSealed: boolean): void {
    const key = toHex(hash);
    const isNew = this.#waiting.get(key)?.isNew ?? false;
    const size = stored.length - (isSealed ? SEAL_BYTES : 0);
    this.#waiting.set(key, { stored: stored.slice(), isSealed, size, isNew, isCopy: !isNew });
    if (this.#waiting.fileBytes >= this.#limits.gatherBytes) this.#writeWaiting();
  }

  /**
   * Makes everything put so far durable, and gives up a pack that is mostly dead if there is room for it. Not to be
   * called while a call is under way.
   *
   * @throws NetError; then what was put before is not durable, and the next call tries again.
   */
  async flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      const unsure = [...this.#unsure];
      for (const [pack, part] of unsure) await this.#appendAgain(pack, part, false);
      await this.#writeAndSync();
      if (unsure.length > 0) this.#giveUp(unsure);
    } catch (error) {
      throw toNetError(error, "Cannot store packed chunks");
    }
    await this.#compact();
  }

  /** What was not flushed is as after a kill. */
  close(): void {
    this.#attempt(() => this.#index.commit());
    this.#index[Symbol.dispose]();
    this.#files.close();
  }

  /** Finds what the last process left unsure, and makes it safe. */
  async recover(): Promise<void> {
    const { packs } = this.#index;
    for (const [pack, size] of this.#files.sizes) {
      const from = packs.get(pack)?.syncedBytes ?? 0;
      if (size > from) this.#unsure.set(pack, { from, isAll: true });
      else if (size === 0) this.#files.cut(pack, 0);
    }
    for (const pack of [...packs.keys()]) {
      this.#files.reserve(pack);
      if (!this.#files.sizes.has(pack)) this.#index.dropPack(pack);
    }
    for (const pack of packs.keys()) this.#consider(pack);
    if (this.#unsure.size > 0) await this.flush();
  }

  /** Appends what waits, with one write, and says where it is. */
  #writeWaiting(): void {
    if (this.#waiting.count === 0) return;
    const { pack, at: start } = this.#files.append(this.#waiting.encode());
    let at = start;
    try {
      for (const key of this.#waiting.keys) {
        const chunk = this.#waiting.get(key);
        if (chunk === undefined) continue;
        const { stored, isSealed, isNew } = chunk;
        const place = { pack, at, storedBytes: stored.length, isSealed };
        const before = this.#attempt(() =>
          this.#index.set(Uint8Array.fromHex(key), place, { isNew })
        );
        this.#waiting.take(key);
        if (before !== undefined) this.#consider(before.pack);
        at += RECORD_HEADER_BYTES + stored.length;
      }
    } catch (error) {
      this.#waiting.doubt(); // The one that failed may be in the index all the same.
      throw error;
    }
  }

  async #writeAndSync(): Promise<void> {
    this.#writeWaiting();
    // In slices of a few milliseconds; of what comes meanwhile the commit takes care.
    for (let slice = 0; slice < SLICES_MAX; slice++) {
      if (!this.#attempt(() => this.#index.settleSome(SLICE_RECORDS))) break;
      await new Promise<void>((resolve) => systemClock.soon(resolve));
    }
    await this.#sync();
    this.#attempt(() => this.#index.commit());
  }

  /** Gives up one pack that is mostly dead; what that takes may be more room than there is. */
  async #compact(): Promise<void> {
    const [pack] = this.#candidates;
    if (pack === undefined) return;
    this.#candidates.delete(pack);
    if (this.#unsure.has(pack) || !this.#files.sizes.has(pack)) return;
    try {
      await this.#appendAgain(pack, { from: 0, isAll: false }, true);
      await this.#writeAndSync();
      this.#giveUp([[pack, { from: 0 }]]);
    } catch {
      // It stays as it is until more of it is dead. Its chunks are where they were, or twice there.
      this.#waiting.dropCopies();
    }
  }

  async #sync(): Promise<void> {
    let safe: ReadonlyMap<number, number>;
    try {
      safe = await this.#files.sync();
    } catch (error) {
      if (!(error instanceof SyncFailure)) {
        this.#failure = new NetError(
          "failed",
          `Cannot store packed chunks: ${error instanceof Error ? error.message : String(error)}`,
          { cause: error, next: "check the device, then start the node again" },
        );
        throw this.#failure;
      }
      const from = this.#index.packs.get(error.pack)?.syncedBytes ?? 0;
      if (!this.#unsure.has(error.pack)) this.#unsure.set(error.pack, { from, isAll: false });
      throw toNetError(error.cause, "Cannot store packed chunks");
    }
    this.#attempt(() => {
      for (const [pack, size] of safe) {
        if (!this.#unsure.has(pack)) this.#index.setSynced(pack, size);
      }
    });
  }

  /** Appends the records of a pack that count once more. */
  async #appendAgain(pack: number, part: Unsure, isCopy: boolean): Promise<void> {
    if (this.#files.current === pack) this.#files.closeCurrent();
    const size = this.#files.sizes.get(pack) ?? 0;
    const file = this.#files.openToScan(pack);
    try {
      for (const record of scanRecords(file, part.from, size)) {
        this.#takeAgain(pack, record, part.isAll, isCopy);
        if (this.#waiting.fileBytes < this.#limits.gatherBytes) continue;
        this.#writeWaiting();
        await pause(0); // Others have their turn after every megabyte.
      }
    } finally {
      file.close();
    }
  }

  #takeAgain(pack: number, record: ScannedRecord, isAll: boolean, isCopy: boolean): void {
    const { hash, at, isSealed, storedBytes, stored } = record;
    const key = toHex(hash);
    if (this.#waiting.get(key) !== undefined) return;
    const place = this.#index.find(hash);
    const isHere = place?.pack === pack && place.at === at;
    // What is somewhere else already is dead here; and so is what nobody knows, unless the index lost track.
    if (!isHere && (place !== undefined || !isAll)) return;
    if (!this.#options.isWhole(hash, stored, isSealed)) {
      if (isHere) this.#lost(hash, place, isAll);
      return;
    }
    // Removed here, put again outside, and then a crash forgot the removal.
    if (!isHere && this.#options.isElsewhere?.(hash)) return;
    const size = chunkBytesOf({ storedBytes, isSealed });
    this.#waiting.set(key, { stored: stored.slice(), isSealed, size, isNew: false, isCopy });
  }

  /** A record that counts is damaged. */
  #lost(hash: Uint8Array, place: PackPlace, isAll: boolean): void {
    this.#attempt(() => this.#index.remove(hash));
    const syncedBytes = this.#index.packs.get(place.pack)?.syncedBytes ?? 0;
    if (isAll || place.at < syncedBytes) return this.#options.onDamaged?.(hash);
    // Whoever put it still waits for the flush that makes it durable.
    this.#failure = new NetError(
      "failed",
      "Cannot store packed chunks: the device lost what was written",
      { next: "check the device, then start the node again, and repeat what failed" },
    );
    throw this.#failure;
  }

  /** Forgets packs, or their ends, that were appended again, when the index is safe without them. */
  #giveUp(packs: Iterable<readonly [number, { readonly from: number }]>): void {
    const all = [...packs];
    this.#attempt(() => {
      for (const [pack, { from }] of all) {
        if (from === 0) this.#index.dropPack(pack);
        else this.#index.forgetFrom(pack, from);
      }
      this.#index.commit({ isDurable: true });
    });
    for (const [pack, { from }] of all) {
      this.#files.cut(pack, from);
      this.#unsure.delete(pack);
      this.#candidates.delete(pack);
    }
  }

  #consider(pack: number): void {
    const size = this.#files.sizes.get(pack) ?? 0;
    const live = this.#index.packs.get(pack)?.liveFileBytes ?? 0;
    const isDead = size >= this.#limits.compactBytesMin ? size > 2 * live : live === 0 && size > 0;
    if (isDead) this.#candidates.add(pack);
  }

  /** Runs a change of the index; after a failure that took back more than that, looks what the packs have. */
  #attempt<T>(change: () => T): T {
    const wasInTransaction = this.#index.isInTransaction;
    try {
      return change();
    } catch (error) {
      if (wasInTransaction && !this.#index.isInTransaction) this.#loseTrack();
      throw toIndexError(error);
    }
  }

  #loseTrack(): void {
    this.#index.reload();
    this.#waiting.doubt();
    for (const [pack, size] of this.#files.sizes) {
      const from = this.#index.packs.get(pack)?.syncedBytes ?? 0;
      if (size > from) this.#unsure.set(pack, { from, isAll: true });
    }
    this.#files.closeCurrent();
  }
}
