/** Appending to a channel's file as callers from outside ask for it. */
import { NetError } from "../../base/mod.ts";
import { RedexError, type RedexFile, type WriteToken } from "../../log/mod.ts";

/** Payload of an event that is kept in the index. */
const INLINE_BYTES = 8;

/** What became of an append. */
export interface Appended {
  readonly first: bigint;
  readonly last: bigint;
  readonly count: number;
  /** Receipt of the last event. */
  readonly token: WriteToken;
  readonly nextSeq: bigint;
  readonly persistedSeq: bigint;
}

/** Options of {@linkcode appendEvents}. */
export interface AppendOptions {
  /** Waits until all of it is on the device. */
  readonly isDurable?: boolean;
  /** Fails with `conflict` unless this is the next number. */
  readonly expected?: bigint;
  /** Keeps each event, of exactly 8 bytes, in the index; they are appended one by one. */
  readonly isInline?: boolean;
}

/**
 * Appends all events or none, unless they are inline.
 *
 * @param origin Who appends, for the token.
 * @throws NetError `usage` without an event; RedexError `seq_mismatch` when `expected` is not the next number, and
 * others of its kinds.
 */
export async function appendEvents(
  file: RedexFile,
  origin: bigint,
  payloads: readonly Uint8Array[],
  options: AppendOptions,
): Promise<Appended> {
  if (payloads.length === 0) {
    throw new NetError("usage", `Cannot append to "${file.name}": there is no event`);
  }
  const first = await appendTo(file, payloads, options);
  const last = first + BigInt(payloads.length) - 1n;
  return {
    first,
    last,
    count: payloads.length,
    token: { origin, seq: last },
    nextSeq: file.nextSeq,
    persistedSeq: file.persistedSeq,
  };
}

async function appendTo(
  file: RedexFile,
  payloads: readonly Uint8Array[],
  { expected, isDurable = false, isInline = false }: AppendOptions,
): Promise<bigint> {
  if (isInline) {
    if (payloads.some(({ length }) => length !== INLINE_BYTES)) {
      throw new NetError("usage", `Cannot append to "${file.name}": an inline event has 8 bytes`, {
        next: "leave --inline out",
      });
    }
    if (expected !== undefined) requireNext(file, expected);
    const [first = file.nextSeq] = payloads.map((payload) => file.appendInline(payload));
    if (isDurable) await file.sync();
    return first;
  }
  if (isDurable && expected === undefined) return await file.appendDurable(payloads);
  const first = expected === undefined
    ? file.appendBatch(payloads)
    : file.appendBatchIfNext(expected, payloads);
  if (isDurable) await file.sync();
  return first ?? file.nextSeq;
}

function requireNext(file: RedexFile, expected: bigint): void {
  if (file.nextSeq === expected) return;
  throw new RedexError(
    "seq_mismatch",
    `Cannot append to "${file.name}": the next number is ${file.nextSeq}, must be ${expected}`,
    { next: "read what came in between, then append again", data: { next: Number(file.nextSeq) } },
  );
}
