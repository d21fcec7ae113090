/**
 * Bodies of calls on their way between a program and its node: an item longer than a line goes in pieces,
 * and nobody sends the next before the one before was taken (`nrpc.md` 6 to 9).
 */
import { NetError } from "../../base/mod.ts";
import { BODY_BYTES_MAX } from "../../rpc/mod.ts";

/** Bytes of one piece: as base64 it fits the 1 MiB line. */
export const PIECE_BYTES_MAX = 512 * 1024;
/** Letters of a piece as base64. */
export const PIECE_TEXT_MAX = 700_000;
/** Items of one message. */
export const ITEMS_MAX = 1_024;
/** Bytes of items that programs have sent in pieces and that are not whole: eight of the largest bodies. */
export const GATHERED_BYTES_MAX = 8 * BODY_BYTES_MAX;

/** Bytes held for all calls together. */
export class GatherBudget {
  #bytes = 0;
  /** Times that it was too small. */
  refused = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number = GATHERED_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws NetError `limit` when so much is not left. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax) {
      this.refused += 1;
      throw new NetError("limit", "Cannot take body: too many long ones are on their way", {
        next: "wait until some of them have ended",
      });
    }
    this.#bytes += bytes;
  }

  free(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Joins the pieces of items. */
export class ItemGatherer {
  readonly #budget: GatherBudget;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(budget: GatherBudget) {
    this.#budget = budget;
  }

  /** True while pieces of an item are held whose end has not come. */
  get isOpen(): boolean {
    return this.#pieces.length > 0;
  }

  /**
   * Takes the next piece.
   *
   * @param isMore True when the item goes on.
   * @returns The whole item with its last piece.
   * @throws NetError `limit` when it is longer than a body may be.
   */
  add(piece: Uint8Array, isMore: boolean): Uint8Array | undefined {
    if (!isMore && this.#pieces.length === 0) return piece;
    if (this.#bytes + piece.length > BODY_BYTES_MAX) {
      throw new NetError("limit", `Cannot take body: it has more than ${BODY_BYTES_MAX} bytes`, {
        next: "store it with net blob put and send its address",
      });
    }
    this.#budget.take(piece.length);
    this.#bytes += piece.length;
    this.#pieces.push(piece);
    if (isMore) return undefined;
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const one of this.#pieces) {
      whole.set(one, at);
      at += one.length;
    }
    this.clear();
    return whole;
  }

  /**
   * Takes items as base64, of which the last may be a piece.
   *
   * @returns The whole ones.
   * @throws NetError `usage` for what is no base64; as {@linkcode add} does.
   */
  addAll(texts: readonly string[], isMore: boolean): readonly Uint8Array[] {
    const whole: Uint8Array[] = [];
    for (const [i, text] of texts.entries()) {
      const item = this.add(readBase64(text), isMore && i === texts.length - 1);
      if (item !== undefined) whole.push(item);
    }
    return whole;
  }

  /** Forgets what is not whole. */
  clear(): void {
    this.#budget.free(this.#bytes);
    this.#bytes = 0;
    this.#pieces = [];
  }
}

/**
 * Items from one who pushes to one who reads; holds those of one push and no more.
 *
 * @example
 * ```ts
 * import { ItemQueue } from "./rpc_items.ts";
 * const queue = new ItemQueue();
 * const pushing = queue.push([new Uint8Array(1)]);
 * console.assert((await queue.next())?.length === 1);
 * await pushing;
 * queue.end();
 * console.assert(await queue.next() === undefined);
 * ```
 */
export class ItemQueue implements AsyncIterable<Uint8Array> {
  #items: Uint8Array[] = [];
  #at = 0;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /**
   * Hands items on; resolves when all of them were taken.
   *
   * @throws NetError `conflict` while others wait or after the end; what {@linkcode fail} was told.
   */
  async push(items: readonly Uint8Array[]): Promise<void> {
    this.#throwIfFailed();
    if (this.#isEnded) throw new NetError("conflict", "Cannot send item: the last one was sent");
    if (this.#at < this.#items.length) {
      throw new NetError("conflict", "Cannot send item: others still wait to be taken");
    }
    this.#items = [...items];
    this.#at = 0;
    this.#wakeReader?.();
    while (this.#at < this.#items.length && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
    this.#throwIfFailed();
  }

  /** Nothing more comes. */
  end(): void {
    this.#isEnded = true;
    this.#wakeReader?.();
  }

  /** Both sides fail from now on; the first reason counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#items = [];
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  /** The next item; `undefined` at the end. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      this.#throwIfFailed();
      const item = this.#items[this.#at];
      if (item !== undefined) {
        this.#at += 1;
        if (this.#at === this.#items.length) this.#wakeWriter?.();
        return item;
      }
      if (this.#isEnded) return undefined;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let item = await this.next(); item !== undefined; item = await this.next()) yield item;
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** The pieces of an item in order, at least one. */
export function* piecesOf(
  item: Uint8Array,
): Generator<{ readonly piece: Uint8Array; readonly isMore: boolean }> {
  let at = 0;
  do {
    const piece = item.subarray(at, at + PIECE_BYTES_MAX);
    at += piece.length;
    yield { piece, isMore: at < item.length };
  } while (at < item.length);
}

/** Sends an item as progress of a call, waiting for a program that reads slowly. */
export async function sendItem(
  send: (data: object) => Promise<void>,
  item: Uint8Array,
): Promise<void> {
  for (const { piece, isMore } of piecesOf(item)) {
    await send({ items: [piece.toBase64()], more: isMore });
  }
}

/** Sends items as progress of a call: short ones together, a long one in pieces. */
export async function sendItems(
  send: (data: object) => Promise<void>,
  items: readonly Uint8Array[],
): Promise<void> {
  let texts: string[] = [];
  let bytes = 0;
  for (const item of items) {
    if (texts.length > 0 && bytes + item.length > PIECE_BYTES_MAX) {
      await send({ items: texts, more: false });
      [texts, bytes] = [[], 0];
    }
    if (item.length > PIECE_BYTES_MAX) await sendItem(send, item);
    else {
      texts.push(item.toBase64());
      bytes += item.length;
    }
  }
  if (texts.length > 0) await send({ items: texts, more: false });
}

/**
 * Bytes that a program gave as base64.
 *
 * @throws NetError `usage` when they are none.
 */
export function readBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    throw new NetError("usage", "Cannot read body: it is no base64", { cause });
  }
}

/** A body as JSON tells it: text where it is some, else base64. */
export function describeBody(body: Uint8Array): { readonly text: string } | {
  readonly base64: string;
} {
  try {
    return { text: FATAL_DECODER.decode(body) };
  } catch {
    return { base64: body.toBase64() };
  }
}

const FATAL_DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
