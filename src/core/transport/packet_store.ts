/**
 * Plaintexts of packets that have to be kept: sent and not yet acknowledged, or received ahead of their
 * turn. They lie in the cipher's own memory, so that a packet is sealed straight from here.
 *
 * Memory comes in chunks, each cut into pieces of one size; a piece is named by its offset. Chunks are
 * taken when first needed and never given back, so the store holds no more than its peak, and never more
 * than the memory it was given.
 */

/** There is no room. */
export const NO_ROOM = -1;

/** Where the store's memory comes from: a packet cipher. */
export interface StoreMemory {
  readonly memory: Uint8Array<ArrayBuffer>;
  /** @throws RangeError when the memory is exhausted. */
  allocate(bytes: number, align?: number): number;
}

const CHUNK_BITS = 16;
const CHUNK_BYTES = 1 << CHUNK_BITS;
/** Sizes of pieces; the largest holds the largest plaintext, 8108 bytes. */
const PIECE_BYTES: readonly number[] = [256, 1_024, 2_048, 8_192];

/** Pieces of memory for plaintexts. */
export class PacketStore {
  /** What the offsets point into. */
  readonly memory: Uint8Array<ArrayBuffer>;
  /** Times there was no room. */
  refusedTotal = 0;
  readonly #source: StoreMemory;
  readonly #bytesMax: number;
  readonly #free: readonly number[][] = PIECE_BYTES.map(() => []);
  /** Size class of each chunk, by the upper bits of its offset. */
  readonly #classOf: Uint8Array;
  #bytesTaken = 0;
  #piecesUsed = 0;
  #isExhausted = false;

  /** @param bytesMax Most memory to take; all that is left when left out. */
  constructor(source: StoreMemory, bytesMax = Infinity) {
    this.#source = source;
    this.#bytesMax = bytesMax;
    this.memory = source.memory;
    this.#classOf = new Uint8Array(Math.ceil(source.memory.length / CHUNK_BYTES));
  }

  /** Pieces in use. */
  get piecesUsed(): number {
    return this.#piecesUsed;
  }

  /** Bytes taken from the memory so far. */
  get bytesTaken(): number {
    return this.#bytesTaken;
  }

  /**
   * A piece of at least `length` bytes, at most 8192.
   *
   * @returns Its offset, or {@linkcode NO_ROOM}.
   */
  take(length: number): number {
    let size = 0;
    while (length > (PIECE_BYTES[size] as number)) size += 1;
    const free = this.#free[size] as number[];
    const at = free.length > 0 || this.#addChunk(size, free) ? free.pop() : undefined;
    if (at === undefined) {
      this.refusedTotal += 1;
      return NO_ROOM;
    }
    this.#piecesUsed += 1;
    return at;
  }

  /** Gives a piece back. */
  release(at: number): void {
    this.#piecesUsed -= 1;
    (this.#free[this.#classOf[at >>> CHUNK_BITS] as number] as number[]).push(at);
  }

  #addChunk(size: number, free: number[]): boolean {
    if (this.#isExhausted || this.#bytesTaken + CHUNK_BYTES > this.#bytesMax) return false;
    let start: number;
    try {
      start = this.#source.allocate(CHUNK_BYTES, CHUNK_BYTES);
    } catch {
      this.#isExhausted = true;
      return false;
    }
    this.#bytesTaken += CHUNK_BYTES;
    this.#classOf[start >>> CHUNK_BITS] = size;
    const piece = PIECE_BYTES[size] as number;
    for (let at = start + CHUNK_BYTES - piece; at >= start; at -= piece) free.push(at);
    return true;
  }
}
