/** What tests of adapters share. */
import type { Batch, BusAdapter, StoredEvent } from "../../../../src/log/bus/mod.ts";
import { BusError } from "../../../../src/log/bus/mod.ts";

/** A signal that never aborts. */
export const SIGNAL = new AbortController().signal;

/** UTF-8 of a text. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Text of bytes. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** A batch of the given events, with times from 100 on. */
export function batchOf(raws: readonly Uint8Array[], rest: Partial<Batch> = {}): Batch {
  return {
    shard: 0,
    events: raws.map((raw, i) => ({ raw, insertionTs: 100n + BigInt(i) })),
    sequenceStart: 0n,
    producerNonce: 0x1fn,
    ...rest,
  };
}

/** Starts an adapter that ends with the scope. */
export async function openAdapter(adapter: BusAdapter): Promise<BusAdapter & AsyncDisposable> {
  await adapter.start();
  return Object.assign(adapter, { [Symbol.asyncDispose]: () => adapter.stop() });
}

/** All events of a shard, page by page. */
export async function pollAll(adapter: BusAdapter, shard = 0, page = 1000): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  let from: string | undefined;
  for (;;) {
    const { events, nextId, hasMore } = await adapter.poll(shard, from, page, SIGNAL);
    all.push(...events);
    from = nextId ?? from;
    if (!hasMore) return all;
  }
}

/** The error that a call fails with, which has to be the bus's own. */
export async function failureOf(work: Promise<unknown>): Promise<BusError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("It did not fail");
}
