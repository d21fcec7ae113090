/** What the storage tests with the live core have in common: the process, folders, channels of both sides. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { idToHex, systemClock, systemDisk } from "../../src/base/mod.ts";
import { xxh3 } from "../../src/core/crypto/mod.ts";
import { openRedex, type Redex, type RedexConfig, type RedexOptions } from "../../src/log/mod.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { isRustPlatform } from "./rust_addon.ts";
import type { StorageOperations } from "./rust_storage_process.ts";

/** The core's side. */
export type RustStorage = LineProcess<StorageOperations>;

/** Starts the core's side. */
export function startRustStorage(): RustStorage {
  return startLineProcess<StorageOperations>(
    new URL("./rust_storage_process.ts", import.meta.url),
    { name: "Rust storage" },
  );
}

/** A folder that goes when the test ends. */
export interface TestFolder extends Disposable {
  readonly path: string;
}

/** Makes a folder. */
export function makeTestFolder(): TestFolder {
  const path = Deno.makeTempDirSync({ prefix: "net-storage-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Our log over a folder on the real disk. */
export function openOwnRedex(folder: string, options: RedexOptions = {}): Redex {
  return openRedex(
    { clock: systemClock, disk: systemDisk },
    { folder, defaults: { isPersistent: true }, ...options },
  );
}

/** An event as both sides are asked for it: length and hash of the payload, which may be long. */
export interface PlainEvent {
  readonly seq: bigint;
  readonly payload: string;
}

/** An event to compare. */
export function plainEvent(seq: bigint, payload: Uint8Array): PlainEvent {
  return { seq, payload: `${payload.length} bytes ${idToHex(xxh3(payload))}` };
}

const ALL = 1n << 62n;

/** Events that we read of a channel, once it was opened anew; `change` may do more with it. */
export async function withOwnChannel<T>(
  folder: string,
  name: string,
  use: (file: Awaited<ReturnType<Redex["open"]>>) => T | Promise<T>,
  config?: RedexConfig,
  options?: RedexOptions,
): Promise<T> {
  await using redex = openOwnRedex(folder, options);
  return await use(await redex.open(name, { isPersistent: true, ...config }));
}

/** All that we read of a channel. */
export async function readOwn(
  folder: string,
  name: string,
  options?: RedexOptions,
): Promise<PlainEvent[]> {
  return await withOwnChannel(
    folder,
    name,
    (file) => file.readRange(0n, file.nextSeq).map(({ seq, payload }) => plainEvent(seq, payload)),
    undefined,
    options,
  );
}

/** All that the core reads of a channel. */
export async function readRust(
  rust: RustStorage,
  folder: string,
  name: string,
): Promise<PlainEvent[]> {
  const channel = await rust.call("openChannel", { folder, name });
  const events = await rust.call("readRange", { channel, from: 0n, to: ALL });
  await rust.call("closeChannel", { channel });
  return events.map(({ seq, payload }) => plainEvent(seq, payload));
}

/** Lets the core append to a channel; the number of the first event. */
export async function appendRust(
  rust: RustStorage,
  folder: string,
  name: string,
  payloads: readonly Uint8Array[],
): Promise<bigint> {
  const channel = await rust.call("openChannel", { folder, name });
  const first = await rust.call("appendBatch", { channel, payloads });
  await rust.call("closeChannel", { channel });
  return first;
}

/** Appends as we do; the number of the first event. */
export async function appendOwn(
  folder: string,
  name: string,
  payloads: readonly Uint8Array[],
  options?: RedexOptions,
): Promise<bigint> {
  return await withOwnChannel(
    folder,
    name,
    (file) => {
      const first = file.appendBatch(payloads);
      assert.ok(first !== undefined);
      return first;
    },
    undefined,
    options,
  );
}

/** Channel of the tests. */
export const CHANNEL = "room/lobby";
/** Seed of what is drawn. */
export const SEED = 20_817;

/** Payloads of all lengths that are kept differently: empty, 8 bytes, across a page. */
export const anyPayloads = fc.array(
  fc.oneof(
    fc.constant(new Uint8Array()),
    fc.uint8Array({ minLength: 8, maxLength: 8 }),
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ minLength: 3_000, maxLength: 6_000 }),
  ),
  { minLength: 1, maxLength: 12 },
);

/** A test that needs the core. */
export function rustTest(name: string, run: (rust: RustStorage) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !isRustPlatform(),
    fn: async () => {
      await using rust = startRustStorage();
      await run(rust);
    },
  });
}

/** Events with these payloads, numbered from `first` on. */
export function eventsFrom(first: bigint, payloads: readonly Uint8Array[]): PlainEvent[] {
  return payloads.map((payload, index) => plainEvent(first + BigInt(index), payload));
}

/** Draws values. */
export const sample = <T>(arbitrary: fc.Arbitrary<T>, count: number, seed = SEED): readonly T[] =>
  fc.sample(arbitrary, { seed, numRuns: count });

/** What our engine notes beside the log of what it verified. */
export function checkpointOf(folder: string): string {
  return join(folder, CHANNEL, "@checkpoint");
}
