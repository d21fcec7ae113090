/** What a call sends: a body from the command line, a file or standard input, or items one after the other. */
import { NetError, utf8 } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { LineReader } from "./line_reader.ts";

/** Bytes of one piece; as base64 it fits the 1 MiB line of the control socket. */
export const PIECE_BYTES = 512 * 1024;

/** Items of one request. */
const BATCH_ITEMS = 512;

/** Longest item between length words, as long as a body may be. */
const RAW_ITEM_BYTES_MAX = 64 * 1024 * 1024;

/** Something bytes are read from. */
export interface ByteInput {
  /** Fills the array and says how far; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Bytes in all, where that is known. */
  readonly size: number | undefined;
  close(): void;
}

/**
 * Opens what a BODY argument names: `-` is standard input, `@FILE` a file, anything else is the text itself.
 *
 * @throws NetError `not_found`, `not_allowed` or `usage` for a file that can't be read.
 */
export async function openInput(context: NetContext, given: string): Promise<ByteInput> {
  if (given === "-") {
    return { read: (into) => context.io.readStdin(into), size: undefined, close: () => {} };
  }
  if (!given.startsWith("@")) return bytesInput(utf8(given));
  const path = absolutePath(given.slice(1), context.io.cwd);
  try {
    const file = await Deno.open(path);
    const { isFile, isDirectory, size } = await file.stat();
    if (isDirectory) {
      file.close();
      throw new NetError("usage", `Cannot read body: "${path}" is a folder, must be a file`, {
        next: `pack it first: tar c ${path} | net rpc call SERVICE -`,
      });
    }
    return {
      read: (into) => file.read(into),
      size: isFile ? size : undefined,
      close: () => file.close(),
    };
  } catch (error) {
    if (error instanceof NetError) throw error;
    const isDenied = error instanceof Deno.errors.PermissionDenied;
    const reason = isDenied ? "may not be read by this user" : "is not there";
    throw new NetError(
      isDenied ? "not_allowed" : "not_found",
      `Cannot read body: "${path}" ${reason}`,
      {
        cause: error,
        next: "check the path; a body that begins with @ can be given through standard input",
      },
    );
  }
}

/** Bytes that are there already. */
export function bytesInput(bytes: Uint8Array): ByteInput {
  let at = 0;
  return {
    read: (into) => {
      if (at === bytes.length) return Promise.resolve(null);
      const piece = bytes.subarray(at, at + into.length);
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length);
    },
    size: bytes.length,
    close: () => {},
  };
}

/** Fills the array as far as there is something; fewer bytes mean the end. */
export async function readFull(input: ByteInput, into: Uint8Array): Promise<number> {
  let length = 0;
  while (length < into.length) {
    const count = await input.read(into.subarray(length));
    if (count === null) break;
    length += count;
  }
  return length;
}

/** Options of sending. */
export interface SendOptions {
  readonly signal: AbortSignal;
  /** Told of the bytes sent so far. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Sends a body in pieces.
 *
 * @param first What was read of it already.
 */
export async function sendBody(
  node: NodeCaller,
  call: string,
  first: Uint8Array,
  input: ByteInput,
  { signal, onBytes }: SendOptions,
): Promise<void> {
  let piece = first;
  let bytes = 0;
  for (;;) {
    const ahead = new Uint8Array(PIECE_BYTES);
    const length = await readFull(input, ahead);
    const isLast = length === 0;
    await node.call(
      "nrpc.send",
      { call, items: [piece.toBase64()], more: !isLast, end: isLast },
      { signal },
    );
    onBytes(bytes += piece.length);
    if (isLast) return;
    piece = ahead.subarray(0, length);
  }
}

/**
 * Sends items, as many at a time as came together.
 *
 * @param items One of any length alone, or several that fit one request.
 */
export async function sendItems(
  node: NodeCaller,
  call: string,
  items: AsyncIterable<readonly Uint8Array[]>,
  { signal, onBytes }: SendOptions,
): Promise<void> {
  let bytes = 0;
  for await (const batch of items) {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) await sendItem(node, call, only, signal);
    else {
      const texts = batch.map((item) => item.toBase64());
      await node.call("nrpc.send", { call, items: texts }, { signal });
    }
    for (const item of batch) bytes += item.length;
    onBytes(bytes);
  }
  await node.call("nrpc.send", { call, end: true }, { signal });
}

async function sendItem(
  node: NodeCaller,
  call: string,
  item: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  let at = 0;
  do {
    const piece = item.subarray(at, at + PIECE_BYTES);
    at += piece.length;
    const params = { call, items: [piece.toBase64()], more: at < item.length };
    await node.call("nrpc.send", params, { signal });
  } while (at < item.length);
}

/** Lines as items, without their line feeds. */
export async function* lineItems(
  input: ByteInput,
  signal: AbortSignal,
): AsyncGenerator<readonly Uint8Array[]> {
  const lines = new LineReader((into) => input.read(into));
  for (;;) {
    const batch = await lines.next({ linesMax: BATCH_ITEMS, bytesMax: PIECE_BYTES, signal });
    if (batch === undefined) return;
    yield batch;
  }
}

/**
 * Items with their length in front of each: 4 bytes, the highest first.
 *
 * @throws NetError `usage` when the input ends within an item, `limit` for one that is too long.
 */
export async function* rawItems(input: ByteInput): AsyncGenerator<readonly Uint8Array[]> {
  for (;;) {
    const head = new Uint8Array(4);
    const got = await readFull(input, head);
    if (got === 0) return;
    const length = new DataView(head.buffer).getUint32(0);
    if (length > RAW_ITEM_BYTES_MAX) {
      throw new NetError("limit", `Cannot send item: its length says ${length} bytes`, {
        next: "put 4 bytes of length, the highest first, in front of each item",
      });
    }
    const item = new Uint8Array(length);
    if (got < head.length || await readFull(input, item) < length) {
      throw new NetError("usage", "Cannot send item: the input ends within it", {
        next: "put 4 bytes of length, the highest first, in front of each item",
      });
    }
    yield [item];
  }
}
