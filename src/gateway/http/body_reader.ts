/** The body of one request, by its length or in chunks (RFC 9112 6 and 7), no faster than it is taken. */
import { BODY_PIECE_BYTES, CHUNK_LINE_BYTES_MAX, TRAILERS_MAX } from "./limits.ts";
import type { BodyFraming } from "./request_head.ts";
import type { SocketReader } from "./socket_reader.ts";

/** Chunk sizes have at most 12 hex digits: 256 TiB, far below 2^53. */
const CHUNK_LINE = /^([0-9A-Fa-f]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/** A body that does not come as it was announced. */
export class BodyError extends Error {
  override readonly name = "BodyError";
}

/** Hooks of a {@linkcode BodyReader}. */
export interface BodyHooks {
  /** Before the first byte is waited for. */
  readonly onFirst: () => Promise<void>;
  /** Before each wait for bytes. */
  readonly onWait: () => void;
  /** After each wait. */
  readonly onBytes: (count: number) => void;
  /** All of it was read. */
  readonly onEnd: () => void;
}

/** Reads a body. */
export class BodyReader {
  readonly #reader: SocketReader;
  readonly #hooks: BodyHooks;
  readonly #isChunked: boolean;
  /** Bytes left of the body, or of the chunk. */
  #left: number;
  #hasBegun = false;
  #isInChunk = false;
  #hasEnded = false;
  #error: unknown;

  constructor(reader: SocketReader, framing: BodyFraming, hooks: BodyHooks) {
    this.#reader = reader;
    this.#hooks = hooks;
    this.#isChunked = framing.kind === "chunked";
    this.#left = framing.kind === "length" ? framing.bytes : 0;
    this.#hasEnded = framing.kind === "none";
  }

  /** True when all of it was read. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** True when some of it was asked for. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** True when it may be short enough to be read and dropped. */
  isShort(bytesMax: number): boolean {
    return this.#error === undefined && (this.#isChunked || this.#left <= bytesMax);
  }

  /** As a stream of pieces that nobody else uses. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      pull: async (controller) => {
        const piece = await this.next();
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    }, { highWaterMark: 0 });
  }

  /**
   * The next piece; `undefined` at the end.
   *
   * @throws BodyError when it ends early or is not in chunks as it should be.
   */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const piece = new Uint8Array(
      this.#isChunked ? BODY_PIECE_BYTES : Math.min(this.#left, BODY_PIECE_BYTES),
    );
    const count = await this.read(piece);
    return count === null ? undefined : piece.subarray(0, count);
  }

  /**
   * Reads some of it into an array of the caller's, which saves a copy; `null` at the end.
   *
   * @throws BodyError as {@linkcode BodyReader.next}.
   */
  async read(into: Uint8Array): Promise<number | null> {
    if (this.#hasEnded) return null;
    if (this.#error !== undefined) throw this.#error;
    try {
      if (!this.#hasBegun) {
        this.#hasBegun = true;
        await this.#hooks.onFirst();
      }
      this.#hooks.onWait();
      const isMore = this.#left > 0 || (this.#isChunked && await this.#openChunk());
      const count = isMore ? await this.#some(into) : null;
      this.#hooks.onBytes(count ?? 0);
      if (count === null || (!this.#isChunked && this.#left === 0)) this.#finish();
      return count;
    } catch (error) {
      this.#error = error;
      throw error;
    }
  }

  /** Reads up to the bytes of the next chunk; false at the last one. */
  async #openChunk(): Promise<boolean> {
    if (this.#isInChunk && await this.#line() !== "") throw new BodyError("a chunk is too long");
    const digits = CHUNK_LINE.exec(await this.#line())?.[1];
    if (digits === undefined) throw new BodyError("a chunk without a size");
    this.#left = Number.parseInt(digits, 16);
    this.#isInChunk = true;
    if (this.#left > 0) return true;
    await this.#readTrailers();
    return false;
  }

  async #some(into: Uint8Array): Promise<number> {
    const count = await this.#reader.readInto(into.subarray(0, Math.min(into.length, this.#left)));
    if (count === null) throw new BodyError("it ended early");
    this.#left -= count;
    return count;
  }

  async #line(): Promise<string> {
    const line = await this.#reader.readLine(CHUNK_LINE_BYTES_MAX);
    if (line === undefined) throw new BodyError("a line of a chunk is no line");
    return line;
  }

  async #readTrailers(): Promise<void> {
    for (let count = 0; count <= TRAILERS_MAX; count++) {
      if (await this.#line() === "") return;
    }
    throw new BodyError(`more than ${TRAILERS_MAX} trailers`);
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#hooks.onEnd();
  }
}
