/**
 * Plaintexts of packets that have to be kept: sent and not yet acknowledged, or received ahead of their
 * turn. They lie in the cipher's own memory, so that a packet is sealed straight from here.
 *
 * Memory comes in chunks, each cut into pieces of one size; a piece is named by its offset. Chunks are
 * taken when first needed and never given back, so the store holds no more than its peak, and never more
 * than the memory it was given. When all of it is taken, a chunk that is free as a whole is cut anew.
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
  /** Pieces of each chunk that are in use. */
  readonly #usedIn: Uint16Array;
  /** Chunks taken, by their number. */
  readonly #chunks: number[] = [];
  #bytesTaken = 0;
  #piecesUsed = 0;
  #isExhausted = false;

  /** @param bytesMax Most memory to take; all that is left when left out. */
  constructor(source: StoreMemory, bytesMax = Infinity) {
    this.#source = source;
    this.#bytesMax = bytesMax;
    this.memory = source.memory;
    const chunks = Math.ceil(source.memory.length / CHUNK_BYTES);
    this.#classOf = new Uint8Array(chunks);
    this.#usedIn = new Uint16Array(chunks);
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
    const hasPiece = free.length > 0 || this.#addChunk(size, free) || this.#recut(size, free);
    const at = hasPiece ? free.pop() : undefined;
    if (at === undefined) {
      this.refusedTotal += 1;
      return NO_ROOM;
    }
    this.#usedIn[at >>> CHUNK_BITS] = (this.#usedIn[at >>> CHUNK_BITS] as number) + 1;
    this.#piecesUsed += 1;
    return at;
  }

  /** Gives a piece back. */
  release(at: number): void {
    const chunk = at >>> CHUNK_BITS;
    this.#usedIn[chunk] = (this.#usedIn[chunk] as number) - 1;
    this.#piecesUsed -= 1;
    (this.#free[this.#classOf[chunk] as number] as number[]).push(at);
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
    this.#chunks.push(start >>> CHUNK_BITS);
    this.#cut(start >>> CHUNK_BITS, size, free);
    return true;
  }

  /** Takes a chunk that nobody uses a piece of away from another size. */
  #recut(size: number, free: number[]): boolean {
    const chunk = this.#chunks.find((chunk) => this.#usedIn[chunk] === 0);
    if (chunk === undefined) return false;
    const before = this.#classOf[chunk] as number;
    const others = this.#free[before] as number[];
    // In place, because the list is held elsewhere.
    let kept = 0;
    for (const at of others) if (at >>> CHUNK_BITS !== chunk) others[kept++] = at;
    others.length = kept;
    this.#cut(chunk, size, free);
    return true;
  }

  #cut(chunk: number, size: number, free: number[]): void {
    const start = chunk << CHUNK_BITS;
    const piece = PIECE_BYTES[size] as number;
    this.#classOf[chunk] = size;
    for (let at = start + CHUNK_BYTES - piece; at >= start; at -= piece) free.push(at);
  }
}
