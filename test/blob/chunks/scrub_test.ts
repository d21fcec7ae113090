/** Scrubs: what they find, what they repair, how fast they read, and where they go on. */
import assert from "node:assert/strict";
import {
  type FileChunkStore,
  openFileChunkStore,
  scrubChunks,
  type ScrubDeps,
  type ScrubOptions,
  type ScrubProgress,
} from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { seededBytes } from "../sources.ts";
import { withFolder } from "./store_kit.ts";

const KEY = seededBytes(32, 99);

function depsOf(
  chunks: FileChunkStore,
  clock: ManualClock,
  needed: readonly Uint8Array[] = [],
): ScrubDeps {
  const sorted = needed.map((hash) => hash.toHex()).sort();
  return {
    chunks,
    clock,
    read: (hash, into) => chunks.read(hash, into),
    write: (hash, bytes) => chunks.put(hash, bytes),
    needed: (after) => {
      const from = after === undefined ? "" : after.toHex();
      const page = sorted.filter((key) => key > from).slice(0, 3);
      return Promise.resolve(page.map((key) => Uint8Array.fromHex(key)));
    },
  };
}

/** Runs a scrub, moving the clock whenever it waits. */
async function scrub(deps: ScrubDeps, clock: ManualClock, options: Partial<ScrubOptions> = {}) {
  let isDone = false;
  const work = scrubChunks(deps, {
    bytesPerSecond: 1e9,
    signal: new AbortController().signal,
    ...options,
  }).finally(() => isDone = true);
  work.catch(() => {});
  while (!isDone) {
    await new Promise((resolve) => setTimeout(resolve));
    clock.advance(1);
  }
  return await work;
}

async function filled(folder: string, count = 30) {
  const store = await openFileChunkStore(folder);
  const chunks = Array.from({ length: count }, (_, i) => seededBytes(1_000 + i, i + 1));
  for (const [i, each] of chunks.entries()) {
    await store.put(blake3(each), each, { isPacked: i % 2 === 0, isDurable: i % 3 !== 0 });
  }
  await store.flush();
  return { store, chunks, hashes: chunks.map((each) => blake3(each)) };
}

Deno.test("scrubChunks() finds nothing in a store that is sound", () =>
  withFolder(async (folder) => {
    const clock = new ManualClock();
    const { store, hashes } = await filled(folder);
    const { counts, findings } = await scrub(depsOf(store, clock, hashes), clock);
    assert.deepEqual(findings, []);
    assert.equal(counts.chunks, 30);
    assert.equal(counts.bytes, store.room().usedBytes);
    assert.equal(counts.corrupt + counts.missing + counts.strangers, 0);
    await store.close();
  }));

Deno.test("scrubChunks() finds rot, what is missing and who is a stranger, and repairs from a source", () =>
  withFolder(async (folder) => {
    const clock = new ManualClock();
    const { store, chunks, hashes } = await filled(folder);
    const path = (i: number) => {
      const key = hashes[i]?.toHex() ?? "";
      return `${folder}/${key.slice(0, 2)}/${key}`;
    };
    // 1, 5 and 7 have files of their own.
    await Deno.writeFile(path(1), seededBytes(1_001, 777));
    await Deno.remove(path(5));
    await Deno.rename(path(7), `${folder}/${hashes[7]?.toHex().toUpperCase()}`);
    await Deno.writeTextFile(`${folder}/notes.txt`, "mine");
    const first = await scrub(depsOf(store, clock, hashes), clock);
    assert.deepEqual(
      first.findings.map(({ kind, isRepaired }) => `${kind} ${isRepaired}`).sort(),
      ["corrupt false", "missing false", "missing false", "stranger false", "stranger false"],
    );
    assert.equal(store.counters.corrupt, 1);
    const repaired = await scrub(depsOf(store, clock, hashes), clock, {
      // The source lies about one and does not have another.
      repair: (hash) => {
        const i = hashes.findIndex((each) => each.toHex() === hash.toHex());
        return Promise.resolve(i === 1 ? chunks[1] : i === 5 ? chunks[6] : undefined);
      },
    });
    assert.equal(repaired.counts.missing, 3);
    assert.equal(repaired.counts.repaired, 1);
    assert.equal(repaired.counts.renamed, 1);
    assert.deepEqual(await store.read(hashes[1] ?? KEY), chunks[1]);
    assert.equal(await store.has(hashes[5] ?? KEY), undefined);
    assert.deepEqual(await store.read(hashes[7] ?? KEY), chunks[7]);
    assert.equal(await Deno.readTextFile(`${folder}/notes.txt`), "mine");
    await store.close();
  }));

Deno.test("scrubChunks() reads no faster than it may, and goes on where it was broken off", () =>
  withFolder(async (folder) => {
    const clock = new ManualClock();
    const { store, hashes } = await filled(folder, 600);
    const startedAt = clock.now();
    const abort = new AbortController();
    const seen: ScrubProgress[] = [];
    await assert.rejects(
      scrub(depsOf(store, clock, hashes), clock, {
        bytesPerSecond: 1_000_000,
        signal: abort.signal,
        onProgress: (progress) => {
          seen.push(progress);
          abort.abort(new Error("enough"));
        },
      }),
      /enough/,
    );
    const from = seen.at(-1);
    assert.ok(from !== undefined && from.counts.chunks < 600 && from.counts.chunks >= 256);
    assert.ok(clock.now() - startedAt >= 0.9 * from.counts.bytes / 1_000);
    const rest = await scrub(depsOf(store, clock, hashes), clock, { from });
    assert.equal(rest.counts.chunks, 600);
    assert.equal(rest.counts.bytes, store.room().usedBytes);
    assert.equal(rest.counts.missing, 0);
    await store.close();
  }));

Deno.test("scrubChunks() seals and opens what is there, as the store does it now", () =>
  withFolder(async (folder) => {
    const clock = new ManualClock();
    const { store: plain, chunks, hashes } = await filled(folder);
    const bytes = plain.room().usedBytes;
    await plain.close();
    for (const isSealing of [true, false]) {
      const store = await openFileChunkStore(folder, { storeKey: KEY, isSealing });
      const { counts } = await scrub(depsOf(store, clock, hashes), clock, { isConverting: true });
      assert.equal(counts.converted, 30);
      for (let round = 0; round < 3; round++) await store.flush();
      assert.equal(store.room().usedBytes, bytes);
      const again = await scrub(depsOf(store, clock, hashes), clock, { isConverting: true });
      assert.equal(again.counts.converted, 0);
      for (const [i, hash] of hashes.entries()) assert.deepEqual(await store.read(hash), chunks[i]);
      await store.close();
      // Nothing of the form before is left.
      const needle = (chunks[4] ?? KEY).subarray(10, 42).toHex();
      let found = 0;
      for await (const file of walk(folder)) {
        if ((await Deno.readFile(file)).toHex().includes(needle)) found += 1;
        assert.ok(
          !file.includes(isSealing ? /\/[0-9a-f]{64}$/.exec(file)?.[0] ?? "\0" : ".sealed"),
        );
      }
      assert.equal(found, isSealing ? 0 : 1);
    }
  }));

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}
