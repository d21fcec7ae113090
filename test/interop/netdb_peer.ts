/** What tests of models beside the Rust core's share: its process, and how both are made to do the same. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeCortexSnapshot, type FoldModel } from "../../src/state/mod.ts";
import { startLineProcess } from "./line_process.ts";
import { isRustPlatform } from "./rust_addon.ts";
import type { NetDbOperations, PeerCall } from "./netdb_peer_process.ts";

export const ORIGIN = 0x42n;
const SEED = 51_201;

/** Starts the process of the core. */
export const startPeer = () =>
  startLineProcess<NetDbOperations>(new URL("./netdb_peer_process.ts", import.meta.url), {
    name: "Rust core's database",
  });

/** A test that needs the core. */
export const test = (name: string, body: () => Promise<void>) =>
  Deno.test({ name, ignore: !isRustPlatform(), fn: body });

/** The same drawn values every time. */
export const draw = <T>(arbitrary: fc.Arbitrary<T>, count: number): readonly T[] =>
  fc.sample(arbitrary, { seed: SEED, numRuns: count });

/** A call with drawn arguments. */
export const call = (method: string, ...args: fc.Arbitrary<unknown>[]): fc.Arbitrary<PeerCall> =>
  fc.tuple(...args).map((drawn) => [method, drawn]);

/** Decodes what the core took down, and compares by content. */
export function assertSameState<State>(
  model: FoldModel<State>,
  ours: State,
  theirs: Uint8Array,
): void {
  const decoded = model.decode(decodeCortexSnapshot(theirs).inner);
  assert.deepEqual(model.encode(decoded), model.encode(ours));
}

/** Does to a collection of ours what the calls do to the core's. */
export function replay(collection: object, calls: readonly PeerCall[]): void {
  const methods = collection as Readonly<Record<string, (...args: unknown[]) => unknown>>;
  for (const [method, args] of calls) {
    const [first, second, third, fourth, fifth] = args;
    if (method === "store") {
      methods.store?.call(
        collection,
        first,
        { content: second, tags: third, source: fourth },
        fifth,
      );
    } else methods[method]?.call(collection, ...args);
  }
}
