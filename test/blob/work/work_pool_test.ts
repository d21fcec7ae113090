import assert from "node:assert/strict";
import { createWorkPool, inlineWork, type WorkPool } from "../../../src/blob/mod.ts";
import { systemClock } from "../../../src/base/mod.ts";
import { blake3, blake3Subtree, galoisAddProducts } from "../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { seededBytes } from "../sources.ts";

const MIB = 1024 * 1024;
const MAIN = new URL("../../../main.ts", import.meta.url);

function filled(pool: WorkPool, length: number, seed = 1): Uint8Array {
  const bytes = pool.takeBuffer(length).subarray(0, length);
  bytes.set(seededBytes(length, seed));
  return bytes;
}

/** Gives work until a worker is there and took some. */
async function untilOffloaded(pool: WorkPool, bytes: Uint8Array): Promise<void> {
  while (pool.counters.work_jobs_offloaded_total === 0) {
    await pool.hash(bytes);
    await new Promise<void>((resolve) => systemClock.soon(resolve));
  }
}

async function checkResults(pool: WorkPool): Promise<void> {
  const bytes = filled(pool, 4 * MIB);
  assert.deepEqual((await pool.hash(bytes)).hash, blake3(bytes));
  const both = await pool.hash(bytes, 8 * MIB);
  assert.deepEqual(both.hash, blake3(bytes));
  assert.deepEqual(both.value, blake3Subtree(bytes, 8 * MIB));
  const part = bytes.subarray(MIB, 2 * MIB);
  assert.deepEqual(await pool.subtree(part, 5 * MIB), blake3Subtree(part, 5 * MIB));
  const long = filled(pool, 9 * MIB + 5, 3);
  assert.deepEqual((await pool.hash(long)).hash, blake3(long));
  const constants = Uint8Array.of(27, 28, 1);
  const outputs = [4, 5, 6].map((seed) => filled(pool, 9 * MIB + 5, seed));
  const expected = outputs.map((output) => output.slice());
  galoisAddProducts(long, constants, expected);
  await pool.addProducts(long, constants, outputs);
  assert.deepEqual(outputs.map((output) => output.slice()), expected);
}

Deno.test("a pool in line gives the same as the functions", async () => {
  const pool = inlineWork();
  await checkResults(pool);
  assert.equal(pool.counters.work_jobs_offloaded_total, 0);
});

Deno.test("a pool with workers gives the same as the functions", async () => {
  const pool = createWorkPool({ clock: new ManualClock() }, { workersMax: 2, startAfterBytes: 0 });
  try {
    await untilOffloaded(pool, filled(pool, MIB));
    await checkResults(pool);
    // Many at once: none is lost, and whatever finds the queue full is done in line.
    const bytes = filled(pool, MIB, 9);
    const hashes = await Promise.all(Array.from({ length: 200 }, () => pool.hash(bytes)));
    const expected = blake3(bytes).toHex();
    assert.ok(hashes.every(({ hash }) => hash.toHex() === expected));
    assert.equal(pool.counters.work_workers_started_total, 2);
    assert.ok(pool.counters.work_jobs_offloaded_total >= 64);
  } finally {
    pool.stop();
  }
});

Deno.test("the program itself can be the worker, as in the bundle", async () => {
  const startWorker = () => new Worker(MAIN, { type: "module", name: "net-blob-work" });
  const pool = createWorkPool({ clock: new ManualClock(), startWorker }, {
    workersMax: 1,
    startAfterBytes: 0,
  });
  try {
    const bytes = filled(pool, MIB);
    await untilOffloaded(pool, bytes);
    assert.deepEqual((await pool.hash(bytes)).hash, blake3(bytes));
  } finally {
    pool.stop();
  }
});

Deno.test("work of a pool that is stopped, or whose worker fails, is done all the same", async () => {
  const pool = createWorkPool({ clock: new ManualClock() }, { workersMax: 1, startAfterBytes: 0 });
  const bytes = filled(pool, 4 * MIB);
  await untilOffloaded(pool, bytes);
  const hashes = Array.from({ length: 8 }, () => pool.hash(bytes));
  pool.stop();
  for (const { hash } of await Promise.all(hashes)) assert.deepEqual(hash, blake3(bytes));

  const broken = createWorkPool({
    clock: new ManualClock(),
    startWorker: () => new Worker("data:text/javascript,throw new Error('no')", { type: "module" }),
  }, { workersMax: 1, startAfterBytes: 0 });
  const others = filled(broken, MIB);
  while (broken.counters.work_workers_failed_total === 0) {
    assert.deepEqual((await broken.hash(others)).hash, blake3(others));
    await new Promise<void>((resolve) => systemClock.soon(resolve));
  }
  await broken.hash(others);
  assert.equal(broken.counters.work_workers_started_total, 1);
  broken.stop();
});

Deno.test("workers end when there was nothing to do for a while, and come back", async () => {
  const clock = new ManualClock();
  const pool = createWorkPool({ clock }, { workersMax: 1, startAfterBytes: 0 });
  try {
    const bytes = filled(pool, MIB);
    await untilOffloaded(pool, bytes);
    await clock.advance(10_000);
    const before = pool.counters.work_jobs_inline_total;
    await pool.hash(bytes);
    assert.equal(pool.counters.work_jobs_inline_total, before + 1);
    assert.equal(pool.counters.work_workers_started_total, 2);
  } finally {
    pool.stop();
  }
});

Deno.test("buffers are used again, and few are kept", () => {
  const pool = createWorkPool({ clock: new ManualClock() }, { workersMax: 1 });
  const buffer = pool.takeBuffer(MIB);
  pool.giveBack(buffer);
  assert.equal(pool.takeBuffer(MIB), buffer);
  pool.giveBack(buffer);
  assert.notEqual(pool.takeBuffer(100), buffer, "far too large for that");
  pool.stop();
  assert.notEqual(pool.takeBuffer(MIB), buffer);
  pool.stop();
});
