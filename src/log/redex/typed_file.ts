/**
 * A channel of values of one type (`storage.md` 4): each is encoded into the payload of an event, with
 * postcard or whatever the codec does.
 *
 * A payload that the codec cannot read is an item of its own kind, so that one bad event neither ends a
 * reader nor goes by unseen.
 */
import { PostcardReader, PostcardWriter } from "../../base/mod.ts";
import { RedexError } from "./error.ts";
import type { RedexEvent, RedexFile, RedexLag, RedexTail, TailItem, TailOptions } from "./types.ts";

/** Values as bytes. */
export interface PayloadCodec<Value> {
  /** Throws anything for a value that cannot be written. */
  encode(value: Value): Uint8Array;
  /** Throws anything for bytes that are no value. */
  decode(payload: Uint8Array): Value;
}

/** An event with its value. */
export interface TypedEvent<Value> {
  readonly kind: "event";
  readonly seq: bigint;
  readonly value: Value;
  readonly timeNs: bigint;
}

/** An event whose payload is no value. */
export interface UndecodableEvent {
  readonly kind: "undecodable";
  readonly seq: bigint;
  readonly payload: Uint8Array;
  readonly timeNs: bigint;
  readonly reason: string;
}

/** What a typed tail gives, in order. */
export type TypedTailItem<Value> = TypedEvent<Value> | UndecodableEvent | RedexLag;

/** As {@linkcode RedexTail}, with values. */
export interface TypedTail<Value> extends Disposable, AsyncIterable<TypedTailItem<Value>> {
  readonly position: bigint;
  take(itemsMax: number): Promise<readonly TypedTailItem<Value>[] | undefined>;
  takeNow(itemsMax: number): readonly TypedTailItem<Value>[];
  close(): void;
}

/**
 * As {@linkcode RedexFile}, with values. Appends throw RedexError `encode` for a value that cannot be
 * written; of a batch with one such value nothing is appended.
 */
export interface TypedFile<Value> {
  readonly file: RedexFile;
  append(value: Value): bigint;
  appendBatch(values: readonly Value[]): bigint | undefined;
  appendBatchIfNext(expected: bigint, values: readonly Value[]): bigint | undefined;
  appendDurable(values: readonly Value[]): Promise<bigint>;
  /** The event of this number. @throws RedexError `decode`. */
  read(seq: bigint): TypedEvent<Value> | undefined;
  /** Events `from` ≤ seq < `to`, those included that cannot be read. */
  readRange(
    from: bigint,
    to: bigint,
    eventsMax?: number,
  ): (TypedEvent<Value> | UndecodableEvent)[];
  tail(options?: TailOptions): TypedTail<Value>;
}

/**
 * A file of values.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { openRedex } from "./redex.ts";
 * import { postcardPayloads, typedFile } from "./typed_file.ts";
 * await using redex = openRedex({ clock: systemClock });
 * const names = postcardPayloads<string>({
 *   write: (writer, name) => writer.text(name),
 *   read: (reader) => reader.text(),
 * });
 * const file = typedFile(await redex.open("names"), names);
 * file.append("ada");
 * console.assert(file.read(0n)?.value === "ada");
 * ```
 */
export function typedFile<Value>(file: RedexFile, codec: PayloadCodec<Value>): TypedFile<Value> {
  const encode = (value: Value): Uint8Array => {
    try {
      return codec.encode(value);
    } catch (error) {
      throw new RedexError(
        "encode",
        `Cannot append to channel "${file.name}": the value cannot be written: ${messageOf(error)}`,
        { cause: error },
      );
    }
  };
  const decode = (event: RedexEvent) => decodeEvent(event, codec);
  return {
    file,
    append: (value) => file.append(encode(value)),
    appendBatch: (values) => file.appendBatch(values.map(encode)),
    appendBatchIfNext: (expected, values) => file.appendBatchIfNext(expected, values.map(encode)),
    // deno-lint-ignore require-await -- what the codec throws is to be a rejection
    appendDurable: async (values) => file.appendDurable(values.map(encode)),
    read: (seq) => {
      const event = file.read(seq);
      const item = event && decode(event);
      if (item?.kind !== "undecodable") return item;
      throw new RedexError(
        "decode",
        `Cannot read event ${seq} of channel "${file.name}": ${item.reason}`,
        { next: "read it as bytes, or with the codec it was written with" },
      );
    },
    readRange: (from, to, eventsMax) => file.readRange(from, to, eventsMax).map(decode),
    tail: (options) => typedTail(file.tail(options), codec),
  };
}

/** A codec of postcard; payloads with bytes behind the value are read, as the core reads them. */
export function postcardPayloads<Value>(codec: {
  readonly write: (writer: PostcardWriter, value: Value) => PostcardWriter;
  readonly read: (reader: PostcardReader) => Value;
}): PayloadCodec<Value> {
  return {
    encode: (value) => codec.write(new PostcardWriter(), value).finish(),
    decode: (payload) => {
      const reader = new PostcardReader(payload);
      const value = codec.read(reader);
      if (reader.failure !== undefined) throw new Error(reader.failure);
      return value;
    },
  };
}

function typedTail<Value>(tail: RedexTail, codec: PayloadCodec<Value>): TypedTail<Value> {
  const decode = (item: TailItem) => item.kind === "lag" ? item : decodeEvent(item, codec);
  return {
    get position() {
      return tail.position;
    },
    take: async (itemsMax) => (await tail.take(itemsMax))?.map(decode),
    takeNow: (itemsMax) => tail.takeNow(itemsMax).map(decode),
    close: () => tail.close(),
    [Symbol.dispose]: () => tail.close(),
    [Symbol.asyncIterator]: () => {
      const items = tail[Symbol.asyncIterator]();
      return {
        next: async () => {
          const item = await items.next();
          return item.done ? { done: true, value: undefined } : { value: decode(item.value) };
        },
        return: async () => {
          await items.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function decodeEvent<Value>(
  { seq, payload, timeNs }: RedexEvent,
  codec: PayloadCodec<Value>,
): TypedEvent<Value> | UndecodableEvent {
  try {
    return { kind: "event", seq, value: codec.decode(payload), timeNs };
  } catch (error) {
    return { kind: "undecodable", seq, payload, timeNs, reason: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
