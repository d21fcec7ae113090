/**
 * A mark that a sync has failed: what was not on the device then may be in the memory of the system alone, which
 * calls it clean, so the next open writes all of it again. The mark need not outlast the machine, because that
 * memory does not either.
 */
import type { Disk } from "../../../base/mod.ts";
import { UNSURE_NAME } from "./own_names.ts";

/** True when a sync has failed since all was on the device. */
export function isMarkedUnsure(disk: Disk, folder: string): boolean {
  return disk.sizeOf(`${folder}/${UNSURE_NAME}`) !== undefined;
}

/** Sets and clears the mark of one channel. */
export class UnsureMark {
  readonly #disk: Disk;
  readonly #path: string;
  #isSet: boolean;

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#path = `${folder}/${UNSURE_NAME}`;
    this.#isSet = false;
  }

  /** Without room for it only so much is written again as for any other log. */
  set(): void {
    try {
      this.#disk.open(this.#path, { create: true }).close();
      this.#isSet = true;
    } catch {
      // The device has failed already.
    }
  }

  clear(): void {
    if (!this.#isSet) return;
    try {
      this.#disk.remove(this.#path);
      this.#isSet = false;
    } catch {
      // The next sync tries it again, and the next open writes more than it had to.
    }
  }
}
