/**
 * How many bytes a store holds and may hold. Room is taken before anything is written, so that puts at the
 * same time do not exceed the quota together.
 */
import { type Disk, NetError } from "../../base/mod.ts";
import type { StoreRoom } from "../chunk_store.ts";

/** Room of one store. */
export class Room {
  readonly #disk: Disk;
  readonly #folder: string;
  #quotaBytes: number | undefined;
  #usedBytes: number;

  /** @param quotaBytes Most bytes of chunks; `undefined` leaves it to the device. */
  constructor(disk: Disk, folder: string, quotaBytes: number | undefined, usedBytes: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#quotaBytes = quotaBytes;
    this.#usedBytes = usedBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Takes room for `bytes`.
   *
   * @throws NetError `no_space` when the quota leaves less.
   */
  take(bytes: number): void {
    if (this.#quotaBytes !== undefined && this.#usedBytes + bytes > this.#quotaBytes) {
      throw new NetError(
        "no_space",
        `Cannot store chunk of ${bytes} bytes: the store holds ${this.#usedBytes} of the ` +
          `${this.#quotaBytes} bytes of its quota`,
        {
          next: "remove blobs with net blob rm or net blob gc, or start the node with a larger " +
            "--blob-quota",
        },
      );
    }
    this.#usedBytes += bytes;
  }

  /** Adds bytes that are there already, whatever the quota. */
  add(bytes: number): void {
    this.#usedBytes += bytes;
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#usedBytes = Math.max(0, this.#usedBytes - bytes);
  }

  /** Changes the quota; what is above it stays. */
  setQuota(quotaBytes: number | undefined): void {
    this.#quotaBytes = quotaBytes;
  }

  /** Room there is now. */
  report(): StoreRoom {
    const usedBytes = this.#usedBytes;
    const deviceBytes = this.#disk.roomOf?.(this.#folder)?.freeBytes ?? Infinity;
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
