/**
 * How many bytes a store holds and may hold. Room is taken before anything is written, so that puts at the
 * same time do not exceed the quota together.
 */
import { type Disk, NetError } from "../../base/mod.ts";
import type { StoreRoom } from "../chunk_store.ts";

/** What {@linkcode Room} is made of. */
export interface RoomParts {
  readonly disk: Disk;
  /** Folder on the device in question. */
  readonly folder: string;
  /** Most bytes of chunks; `undefined` leaves it to the device. */
  readonly quotaBytes: number | undefined;
  /** Bytes of chunks in files of their own. */
  readonly looseBytes: number;
  /** Bytes of packed chunks, which count themselves. */
  readonly packedBytes: () => number;
}

/** Room of one store. */
export class Room {
  readonly #parts: RoomParts;
  #quotaBytes: number | undefined;
  #looseBytes: number;

  constructor(parts: RoomParts) {
    this.#parts = parts;
    this.#quotaBytes = parts.quotaBytes;
    this.#looseBytes = parts.looseBytes;
  }

  /** Bytes of chunks in files of their own. */
  get looseBytes(): number {
    return this.#looseBytes;
  }

  /** Bytes of all chunks. */
  get usedBytes(): number {
    return this.#looseBytes + this.#parts.packedBytes();
  }

  /**
   * Makes sure that `bytes` more are within the quota.
   *
   * @throws NetError `no_space` when they are not.
   */
  require(bytes: number): void {
    const usedBytes = this.usedBytes;
    if (this.#quotaBytes === undefined || usedBytes + bytes <= this.#quotaBytes) return;
    throw new NetError(
      "no_space",
      `Cannot store chunk of ${bytes} bytes: the store holds ${usedBytes} of the ` +
        `${this.#quotaBytes} bytes of its quota`,
      {
        next: "remove blobs with net blob rm or net blob gc, or start the node with a larger " +
          "--blob-quota",
      },
    );
  }

  /** Takes room for the bytes of a file, as {@linkcode Room.require}. */
  take(bytes: number): void {
    this.require(bytes);
    this.#looseBytes += bytes;
  }

  /** Gives bytes of a file back. */
  give(bytes: number): void {
    this.#looseBytes = Math.max(0, this.#looseBytes - bytes);
  }

  /** Changes the quota; what is above it stays. */
  setQuota(quotaBytes: number | undefined): void {
    this.#quotaBytes = quotaBytes;
  }

  /** Room there is now. */
  report(): StoreRoom {
    const { disk, folder } = this.#parts;
    const usedBytes = this.usedBytes;
    const deviceBytes = disk.roomOf?.(folder)?.freeBytes ?? Infinity;
    const quotaLeft = Math.max(0, (this.#quotaBytes ?? Infinity) - usedBytes);
    const freeBytes = Math.min(quotaLeft, deviceBytes);
    // Where neither is known nothing limits it that anybody could name.
    if (freeBytes === Infinity) {
      const most = Number.MAX_SAFE_INTEGER;
      return { usedBytes, capacityBytes: most, freeBytes: most - usedBytes };
    }
    return { usedBytes, capacityBytes: this.#quotaBytes ?? usedBytes + freeBytes, freeBytes };
  }
}
