/** Lines of a byte source, in the pieces they come in. */
import { NetError } from "../src/base/mod.ts";

const CHUNK_BYTES = 65_536;
const LINE_FEED = 0x0a;

/** Longest line held: a source without line feeds must not fill the memory. */
const LINE_BYTES_MAX = 1_048_576;

/** Bounds of one look. */
export interface NextLinesOptions {
  readonly linesMax: number;
  readonly bytesMax: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads lines; the last one may have no line feed.
 *
 * @example
 * ```ts
 * import { LineReader } from "./line_reader.ts";
 * const chunks = [new TextEncoder().encode("a\nb")];
 * const reader = new LineReader((into) => {
 *   const chunk = chunks.shift();
 *   if (chunk !== undefined) into.set(chunk);
 *   return Promise.resolve(chunk?.length ?? null);
 * });
 * const lines = await reader.next({ linesMax: 10, bytesMax: 100 });
 * console.assert(lines?.length === 1);
 * ```
 */
export class LineReader {
  readonly #read: (into: Uint8Array) => Promise<number | null>;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  /** Whole lines that were not handed out. */
  #lines: Uint8Array[] = [];
  /** The beginning of a line whose end has not come. */
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  /** Lines handed out. */
  #count = 0;
  #isEnd = false;

  /** @param read Fills the array and says how far; `null` at the end. */
  constructor(read: (into: Uint8Array) => Promise<number | null>) {
    this.#read = read;
  }

  /**
   * The next lines, at least one and none that is still to come; `undefined` at the end.
   *
   * @throws NetError `limit` for a line of more than 1 MiB; the signal's reason when it aborts.
   */
  async next({ linesMax, bytesMax, signal }: NextLinesOptions): Promise<Uint8Array[] | undefined> {
    while (this.#lines.length === 0) {
      signal?.throwIfAborted();
      if (this.#isEnd) return undefined;
      this.#requireBounded();
      const length = await orAborted(this.#read(this.#chunk), signal);
      if (length !== null) this.#take(this.#chunk.slice(0, length));
      else {
        this.#isEnd = true;
        if (this.#rest.length > 0) this.#endLine(new Uint8Array(0));
      }
    }
    let bytes = 0;
    let count = 0;
    for (const line of this.#lines) {
      if (count > 0 && (count >= linesMax || bytes + line.length > bytesMax)) break;
      bytes += line.length;
      count += 1;
    }
    this.#count += count;
    return this.#lines.splice(0, count);
  }

  #requireBounded(): void {
    if (this.#restBytes <= LINE_BYTES_MAX) return;
    throw new NetError(
      "limit",
      `Cannot read line ${this.#count + 1}: it has more than ${LINE_BYTES_MAX} bytes`,
      { next: "look whether the input is text in lines" },
    );
  }

  #take(bytes: Uint8Array): void {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, start);
      if (end < 0) break;
      this.#endLine(bytes.subarray(start, end));
      start = end + 1;
    }
    if (start === bytes.length) return;
    this.#rest.push(bytes.subarray(start));
    this.#restBytes += bytes.length - start;
  }

  #endLine(end: Uint8Array): void {
    const parts = [...this.#rest, end];
    this.#rest = [];
    this.#restBytes = 0;
    const line = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      line.set(part, at);
      at += part.length;
    }
    this.#lines.push(line);
  }
}

/** What was read, unless the signal aborts first; the read itself can't be called off. */
async function orAborted<T>(reading: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await reading;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([reading, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
