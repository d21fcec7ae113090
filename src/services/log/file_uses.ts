/** Which channel files are in use, and which to close when there are too many. */
import type { RedexFile } from "../../log/mod.ts";
import { OPEN_FILES_MAX } from "./limits.ts";

/** Open files in the order of their last use, and who holds them. */
export class FileUses {
  readonly #files = new Map<string, RedexFile>();
  /** Readers that go on, and folds, by channel. */
  readonly #holders = new Map<string, number>();

  /** Everything that holds a file, all channels together. */
  get holders(): number {
    let holders = 0;
    for (const count of this.#holders.values()) holders += count;
    return holders;
  }

  /** Notes that a file was used. */
  touch(file: RedexFile): void {
    this.#files.delete(file.name);
    this.#files.set(file.name, file);
  }

  /** A file was closed, or will be. */
  forget(channel: string): void {
    this.#files.delete(channel);
  }

  clear(): void {
    this.#files.clear();
  }

  /** Keeps a channel's file from being closed for others, until the result is called. */
  hold(channel: string): () => void {
    this.#count(channel, 1);
    let isHeld = true;
    return () => {
      if (isHeld) this.#count(channel, -1);
      isHeld = false;
    };
  }

  /** Takes out those to be closed: not used for the longest time, on disk, held by nobody. */
  takeSpare(kept: string): RedexFile[] {
    const spare: RedexFile[] = [];
    for (const [channel, file] of this.#files) {
      if (this.#files.size <= OPEN_FILES_MAX) break;
      const isNeeded = channel === kept || this.#holders.has(channel) || !file.stat().isPersistent;
      if (isNeeded) continue;
      this.#files.delete(channel);
      spare.push(file);
    }
    return spare;
  }

  /** Files that nothing can be appended to any more. */
  failed(): { readonly file: RedexFile; readonly failure: string }[] {
    const failed: { file: RedexFile; failure: string }[] = [];
    for (const file of this.#files.values()) {
      const { failure } = file.stat();
      if (failure !== undefined) failed.push({ file, failure });
    }
    return failed;
  }

  #count(channel: string, by: number): void {
    const holders = (this.#holders.get(channel) ?? 0) + by;
    if (holders > 0) this.#holders.set(channel, holders);
    else this.#holders.delete(channel);
  }
}
