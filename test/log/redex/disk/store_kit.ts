/** A store in a folder of its own, for tests. */
import { systemDisk } from "../../../../src/base/mod.ts";
import { type DiskStoreOptions, openDiskRecordStore } from "../../../../src/log/mod.ts";
import type { RecordStore } from "../../../../src/log/redex/record_store.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";

/** Runs with a new folder that is removed afterwards. */
export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const base = await Deno.makeTempDir();
  try {
    await run(`${base}/channel`);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

/** Opens a store, on the machine's disk unless told otherwise. */
export function openStore(
  folder: string,
  options: Partial<DiskStoreOptions> = {},
): Promise<RecordStore> {
  return openDiskRecordStore({ disk: systemDisk, clock: new ManualClock(), folder, ...options });
}

/** A payload with its number in it. */
export function payloadOf(number: number, length = 16): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (number * 31 + i * 7) & 0xff;
  return bytes;
}

/** Numbers and payloads of all records. */
export function readAll(store: RecordStore): (readonly [seq: number, payload: string])[] {
  const all: (readonly [number, string])[] = [];
  for (let from = 0;;) {
    const { records, next } = store.read(from, Infinity, 100, 1 << 20);
    for (const { seq, payload } of records) all.push([seq, payload.toHex()]);
    if (next <= from || (records.length === 0 && next >= store.nextSeq)) return all;
    from = next;
  }
}
