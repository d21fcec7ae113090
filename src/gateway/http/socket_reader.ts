/**
 * Reads of one connection: heads and lines out of a small buffer, bodies past it.
 *
 * At most one read is under way. What was read ahead stays in the buffer for whoever reads next.
 */
import { BODY_PIECE_BYTES, HEAD_BYTES_FIRST, HEAD_BYTES_MAX } from "./limits.ts";
import { beginsMethod, findHeadEnd } from "./request_head.ts";

/** The part of a connection that is read from. */
export interface ReadSide {
  read(into: Uint8Array): Promise<number | null>;
}

/** A head, or why there is none. */
export type HeadRead =
  | { readonly kind: "head"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "too_large" }
  /** What came does not begin as a method does. */
  | { readonly kind: "not_http" };

/** A reader of one connection. */
export class SocketReader {
  readonly #conn: ReadSide;
  #buffer = new Uint8Array(HEAD_BYTES_FIRST);
  #start = 0;
  #end = 0;
  #filling: Promise<boolean> | undefined;

  constructor(conn: ReadSide) {
    this.#conn = conn;
  }

  /** Bytes that were read and not taken. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Puts bytes in front that somebody else read from the connection. */
  prepend(bytes: Uint8Array): void {
    const all = new Uint8Array(Math.max(HEAD_BYTES_FIRST, bytes.length + this.buffered));
    all.set(bytes);
    all.set(this.#buffer.subarray(this.#start, this.#end), bytes.length);
    this.#end = bytes.length + this.buffered;
    this.#start = 0;
    this.#buffer = all;
  }

  /**
   * Reads the head of a request; empty lines before it are dropped.
   *
   * @param onBegin Called when its first byte is there.
   */
  async readHead(onBegin: () => void): Promise<HeadRead> {
    let looked = 0;
    let hasBegun = false;
    for (;;) {
      if (looked === 0) this.#dropEmptyLines();
      if (this.buffered > 0 && !hasBegun) {
        hasBegun = true;
        onBegin();
      }
      const bytes = this.#buffer.subarray(this.#start, this.#end);
      // JSON lines, TLS: whoever speaks something else is told so at once, not when its time is up.
      const [first] = bytes;
      if (first !== undefined && !beginsMethod(first)) return { kind: "not_http" };
      const end = findHeadEnd(bytes.subarray(0, HEAD_BYTES_MAX), looked);
      if (end !== undefined) {
        this.#start += end;
        // A copy: the buffer is written again while the request is served.
        return { kind: "head", bytes: bytes.slice(0, end) };
      }
      if (bytes.length >= HEAD_BYTES_MAX) return { kind: "too_large" };
      looked = bytes.length;
      if (!await this.fill()) return { kind: "end" };
    }
  }

  /** Some of the next bytes, at most `bytesMax`; `undefined` at the end. */
  async readSome(bytesMax: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const piece = new Uint8Array(Math.min(bytesMax, BODY_PIECE_BYTES));
    const count = await this.readInto(piece);
    return count === null ? undefined : piece.subarray(0, count);
  }

  /** Reads some of the next bytes into an array of the caller's; `null` at the end. */
  async readInto(into: Uint8Array): Promise<number | null> {
    if (this.buffered === 0 && this.#filling !== undefined) await this.#filling;
    if (this.buffered === 0) return await this.#conn.read(into);
    const taken = this.#buffer.subarray(
      this.#start,
      Math.min(this.#end, this.#start + into.length),
    );
    into.set(taken);
    this.#start += taken.length;
    return taken.length;
  }

  /** The next line without its end; `undefined` when it is longer than that, or never ends. */
  async readLine(bytesMax: number): Promise<string | undefined> {
    let looked = 0;
    for (;;) {
      const bytes = this.#buffer.subarray(this.#start, this.#end);
      const end = bytes.indexOf(0x0a, looked);
      if (end >= 0) {
        if (end > bytesMax || bytes[end - 1] !== 0x0d) return undefined;
        this.#start += end + 1;
        return new TextDecoder("latin1").decode(bytes.subarray(0, end - 1));
      }
      if (bytes.length > bytesMax) return undefined;
      looked = bytes.length;
      if (!await this.fill()) return undefined;
    }
  }

  /**
   * Reads some more into the buffer, or waits for the read that is under way; false at the end of the
   * connection, or when the buffer is full.
   */
  fill(): Promise<boolean> {
    this.#filling ??= this.#fill().finally(() => this.#filling = undefined);
    return this.#filling;
  }

  async #fill(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    if (this.#end === this.#buffer.length) return false;
    const into = this.#buffer.subarray(this.#end);
    const count = await this.#conn.read(into);
    if (count === null) return false;
    this.#end += count;
    return true;
  }

  #makeRoom(): void {
    const kept = this.#buffer.subarray(this.#start, this.#end);
    const larger = Math.min(HEAD_BYTES_MAX, this.#buffer.length * 2);
    const buffer = kept.length > this.#buffer.length / 2 && larger > this.#buffer.length
      ? new Uint8Array(larger)
      : this.#buffer;
    buffer.set(kept);
    this.#buffer = buffer;
    this.#end = kept.length;
    this.#start = 0;
  }

  #dropEmptyLines(): void {
    while (
      this.buffered >= 2 && this.#buffer[this.#start] === 0x0d &&
      this.#buffer[this.#start + 1] === 0x0a
    ) {
      this.#start += 2;
    }
  }
}
