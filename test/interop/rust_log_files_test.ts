/** Channel folders cross between our store and the Rust core, both ways and again and again. */
import assert from "node:assert/strict";
import { systemClock, systemDisk } from "../../src/base/mod.ts";
import { openDiskRecordStore, type RecordStore, verifyFolder } from "../../src/log/mod.ts";
import { createSeededSource } from "../core/crypto/random_bytes.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { isRustPlatform } from "./rust_addon.ts";
import type { RustLogOperations } from "./rust_log_process.ts";

const CHANNEL = "lab/log";
const SEGMENT_BYTES = 4096;
const SEED = 77;

interface Bench {
  readonly core: LineProcess<RustLogOperations>;
  /** Folder of all channels, and that of the one in use. */
  readonly base: string;
  readonly folder: string;
}

const test = (name: string, body: (bench: Bench) => Promise<void>) =>
  Deno.test({
    name,
    ignore: !isRustPlatform(),
    fn: async () => {
      const base = await Deno.makeTempDir();
      await using core = startLineProcess<RustLogOperations>(
        new URL("./rust_log_process.ts", import.meta.url),
        { name: "Rust core's log" },
      );
      try {
        await body({ core, base, folder: `${base}/${CHANNEL}` });
      } finally {
        await Deno.remove(base, { recursive: true });
      }
    },
  });

const open = (folder: string, segmentBytesMax?: number): Promise<RecordStore> =>
  openDiskRecordStore({ disk: systemDisk, clock: systemClock, folder, segmentBytesMax });

type Records = (readonly [seq: number, payload: string])[];

function readAll(store: RecordStore): Records {
  const all: Records = [];
  for (let from = 0; from < store.nextSeq;) {
    const read = store.read(from, store.nextSeq, 100, 1 << 20);
    assert.deepEqual(read.damaged, []);
    all.push(...read.records.map(({ seq, payload }) => [seq, payload.toHex()] as const));
    from = read.next;
  }
  return all;
}

async function readCore({ core, base }: Bench): Promise<Records> {
  const records = await core.call("read", { folder: base, channel: CHANNEL });
  return records.map(({ seq, payload }) => [Number(seq), payload.toHex()] as const);
}

test("a log that both write in turn is the same for both", async (bench) => {
  const { core, base, folder } = bench;
  const random = createSeededSource(SEED);
  const expected: Records = [];
  for (let round = 0; round < 12; round++) {
    const payloads = Array.from({ length: 1 + random.below(40) }, () => {
      const kind = random.below(10);
      return random.bytes(kind === 0 ? 0 : kind === 1 ? 70_000 : random.below(300));
    });
    const isBatch = random.below(2) === 0;
    let first: number;
    if (round % 2 === 0) {
      const args = { folder: base, channel: CHANNEL, payloads, isBatch };
      first = Number(await core.call("append", args));
    } else {
      const store = await open(folder);
      first = isBatch
        ? store.append(payloads, BigInt(Date.now()) * 1_000_000n)
        : payloads.map((payload) => store.append([payload], 1n))[0] ?? -1;
      if (round === 5) {
        const inline = random.bytes(8);
        store.append([inline], 1n, true);
        payloads.push(inline);
      }
      if (round === 7) await store.compact(0);
      await store.close();
    }
    assert.equal(first, expected.length);
    expected.push(...payloads.map((payload, i) => [first + i, payload.toHex()] as const));
    assert.deepEqual(await readCore(bench), expected);
    const store = await open(folder);
    assert.deepEqual(readAll(store), expected);
    await store.close();
  }
  const { isSound } = await verifyFolder(systemDisk, folder);
  assert.ok(isSound);
});

test("full segments and the checkpoint survive the core, which goes on in the live segment", async (bench) => {
  const { core, base, folder } = bench;
  const random = createSeededSource(SEED + 1);
  const store = await open(folder, SEGMENT_BYTES);
  const expected: Records = [];
  const append = (into: RecordStore, count: number) => {
    for (let i = 0; i < count; i++) {
      const payload = random.bytes(random.below(200));
      expected.push([into.append([payload], 1n), payload.toHex()]);
    }
  };
  append(store, 300);
  await store.close();
  const sealed = () => [...Deno.readDirSync(`${folder}/@sealed`)].map(({ name }) => name).sort();
  const before = sealed();
  const generation = store.generation;
  assert.ok(before.length > 3);
  const live = await readCore(bench);
  assert.ok(live.length > 0 && live.length < 100);
  assert.deepEqual(live, expected.slice(-live.length));
  const payloads = Array.from({ length: 60 }, () => random.bytes(100));
  const first = await core.call("append", {
    folder: base,
    channel: CHANNEL,
    payloads,
    isBatch: false,
  });
  assert.equal(Number(first), 300);
  expected.push(...payloads.map((payload, i) => [300 + i, payload.toHex()] as const));
  assert.deepEqual(sealed(), before);
  assert.ok(Deno.statSync(`${folder}/@checkpoint`).isFile);
  const again = await open(folder, SEGMENT_BYTES);
  assert.equal(again.generation, generation);
  assert.deepEqual(readAll(again), expected);
  append(again, 100);
  await again.compact(250, false);
  await again.close();
  const kept = expected.filter(([seq]) => seq >= 250);
  const last = await open(folder);
  assert.deepEqual(readAll(last), kept);
  await last.close();
  const rest = await readCore(bench);
  assert.deepEqual(rest, expected.slice(-rest.length));
});

test("a live segment written anew without what was forgotten and damaged is read by the core", async (bench) => {
  const { folder } = bench;
  const store = await open(folder);
  for (let i = 0; i < 50; i++) store.append([new Uint8Array(10).fill(i)], 1n);
  await store.close();
  const dat = await Deno.open(`${folder}/v0000000001/dat`, { write: true });
  await dat.seek(305, Deno.SeekMode.Start);
  await dat.write(Uint8Array.of(0xee));
  dat.close();
  const again = await open(folder);
  await again.compact(20);
  await again.close();
  const records = await readCore(bench);
  const expected = Array.from({ length: 30 }, (_, i) => 20 + i).filter((seq) => seq !== 30);
  assert.deepEqual(records.map(([seq]) => seq), expected);
});
