/**
 * Writes of many bytes that go into the system's cache at once while that keeps up, and to a thread when it does not.
 *
 * Handing 4 MiB to a thread costs the runtime a copy into fresh memory, several times the write itself; but a write
 * that waits for the disk must not hold up the event loop.
 */

/** The part of a file that is written through. */
export interface PacedFile {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
}

/**
 * Written at once, 20 µs as a rule. A system whose memory is in pieces looks long for the large pages that larger
 * writes make it want: 1 MiB at a time took four times as much of the processor.
 */
const PIECE_BYTES = 64 * 1024;

/** Handed to a thread at once, which costs 50 µs each time. */
const ASIDE_PIECE_BYTES = 256 * 1024;

/** After a write that took longer, so many bytes are written aside, where nobody waits for them. */
const SLOW_WRITE_MS = 5;
const ASIDE_BYTES = 64 * 1024 * 1024;

/** Writes to one file at a time, and remembers whether its disk kept up. */
export class PacedWriter {
  /** Bytes yet to be written by a thread. */
  #asideBytes = 0;

  /** Writes all of `bytes` where the file stands. */
  async write(file: PacedFile, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#asideBytes > 0) {
        const count = await file.write(bytes.subarray(at, at + ASIDE_PIECE_BYTES));
        this.#asideBytes -= count;
        at += count;
        continue;
      }
      const startMs = performance.now();
      at += file.writeSync(bytes.subarray(at, at + PIECE_BYTES));
      if (performance.now() - startMs > SLOW_WRITE_MS) this.#asideBytes = ASIDE_BYTES;
    }
  }
}
