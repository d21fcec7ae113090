/** Chunks that wait to be written into a pack together, by hash in hex and in order. */
import { encodeRecord, RECORD_HEADER_BYTES } from "./pack_record.ts";

/** A chunk as a pack has it. */
export interface PackedChunk {
  readonly stored: Uint8Array<ArrayBuffer>;
  readonly isSealed: boolean;
  /** Bytes of the chunk, if it is what it says. */
  readonly size: number;
}

/** A chunk that waits. */
export interface WaitingChunk extends PackedChunk {
  /** The index does not have it. */
  readonly isNew: boolean;
  /** It is safe where it was: nobody waits for it. */
  readonly isCopy: boolean;
}

/** The chunks that wait. */
export class WaitingRecords {
  readonly #chunks = new Map<string, WaitingChunk>();
  /** Copies of chunks, one behind the other: an array for each would keep the collector busy. */
  readonly #copies: Uint8Array<ArrayBuffer>;
  #copiedBytes = 0;
  #fileBytes = 0;
  #bytes = 0;

  /** @param copyBytes Bytes of copies kept together; those beyond have arrays of their own. */
  constructor(copyBytes: number) {
    this.#copies = new Uint8Array(copyBytes);
  }

  get count(): number {
    return this.#chunks.size;
  }

  /** Bytes that they take in a pack. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Bytes of the chunks. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Hashes, in the order in which they came. */
  get keys(): readonly string[] {
    return [...this.#chunks.keys()];
  }

  /** A copy of what is to wait, valid until it is taken out. */
  copyOf(stored: Uint8Array): Uint8Array<ArrayBuffer> {
    if (this.#chunks.size === 0) this.#copiedBytes = 0;
    const end = this.#copiedBytes + stored.length;
    if (end > this.#copies.length) return stored.slice();
    const copy = this.#copies.subarray(this.#copiedBytes, end);
    copy.set(stored);
    this.#copiedBytes = end;
    return copy;
  }

  get(key: string): WaitingChunk | undefined {
    return this.#chunks.get(key);
  }

  set(key: string, chunk: WaitingChunk): void {
    this.take(key);
    this.#chunks.set(key, chunk);
    this.#fileBytes += chunk.stored.length + RECORD_HEADER_BYTES;
    this.#bytes += chunk.size;
  }

  /** Takes one out. */
  take(key: string): WaitingChunk | undefined {
    const chunk = this.#chunks.get(key);
    if (chunk === undefined) return undefined;
    this.#chunks.delete(key);
    this.#fileBytes -= chunk.stored.length + RECORD_HEADER_BYTES;
    this.#bytes -= chunk.size;
    return chunk;
  }

  /** Forgets those that are safe where they were. */
  dropCopies(): void {
    for (const [key, { isCopy }] of this.#chunks) if (isCopy) this.take(key);
  }

  /** Says that nobody knows any more whether the index has one of them. */
  doubt(): void {
    for (const [key, chunk] of this.#chunks) this.#chunks.set(key, { ...chunk, isNew: false });
  }

  /** All of them as records, one behind the other. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#fileBytes);
    let end = 0;
    for (const [key, { stored, isSealed }] of this.#chunks) {
      end = encodeRecord(bytes, end, { hash: Uint8Array.fromHex(key), isSealed, stored });
    }
    return bytes;
  }
}
