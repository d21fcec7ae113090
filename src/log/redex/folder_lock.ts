/** Keeps a log's folder for one manager at a time, while it has a channel there open. */
import type { Disk } from "../../base/mod.ts";
import { RedexError, toRedexError } from "./error.ts";

/** In the folder of the log; no part of a channel's name begins like this. */
const LOCK_FILE = "@lock";

/** The lock of a folder, with those who need it. */
export class FolderLock {
  readonly #disk: Disk;
  readonly #folder: string;
  #holders = 0;
  #release = () => {};

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** Someone needs the folder until {@linkcode FolderLock.give}. @throws RedexError `locked`, `io`, `no_space`. */
  take(): void {
    if (this.#holders === 0) this.#release = this.#lock();
    this.#holders += 1;
  }

  /** Someone needs it no longer; the last one lets others in. */
  give(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#release();
  }

  #lock(): () => void {
    const [disk, folder] = [this.#disk, this.#folder];
    if (disk.lock === undefined) return () => {};
    let release: (() => void) | undefined;
    try {
      disk.makeFolder(folder);
      release = disk.lock(`${folder}/${LOCK_FILE}`);
    } catch (error) {
      throw toRedexError(error, `Cannot use log folder "${folder}"`);
    }
    if (release !== undefined) return release;
    throw new RedexError("locked", `Cannot use log folder "${folder}": somebody else has it open`, {
      next: "stop the program that uses it, or ask that one",
    });
  }
}
