import assert from "node:assert/strict";
import { type RandomBytes, systemDisk } from "../../../src/base/mod.ts";
import { BusError, createEventBus, createMemoryAdapter } from "../../../src/log/mod.ts";
import { createNonce, loadNonce } from "../../../src/log/bus/nonce_file.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import { createTestAdapter, numbered, within } from "./bus_kit.ts";

const PATH = "bus/producer";
const random: RandomBytes = (length) => Uint8Array.from({ length }, (_, i) => i + 1);
const isFatal = (error: unknown) => error instanceof BusError && error.kind === "fatal";

function diskWith(bytes?: Uint8Array, name = PATH): SimDisk {
  const disk = new SimDisk();
  disk.makeFolder("bus");
  if (bytes !== undefined) {
    const file = disk.open(name, { create: true });
    file.writeAt(0, bytes);
    file.syncNow();
    file.close();
  }
  return disk;
}

function contentOf(disk: SimDisk): Uint8Array {
  const bytes = new Uint8Array(disk.sizeOf(PATH) ?? 0);
  const file = disk.open(PATH);
  file.readAt(0, bytes);
  file.close();
  return bytes;
}

Deno.test("a number is made once and kept: version 1 and eight bytes", () => {
  const disk = diskWith();
  const nonce = loadNonce(disk, PATH, random);
  assert.equal(contentOf(disk).toHex(), "010102030405060708");
  assert.equal(loadNonce(disk, PATH, () => new Uint8Array(8)), nonce);
  assert.equal(disk.openFiles, 0);
});

Deno.test("0 becomes 1", () => {
  assert.equal(createNonce((length) => new Uint8Array(length)), 1n);
  assert.equal(loadNonce(diskWith(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0)), PATH, random), 1n);
});

Deno.test("a file that is none is an error, and stays as it is", () => {
  for (const hex of ["", "01", "0101020304050607", "01010203040506070809", "020102030405060708"]) {
    const disk = diskWith(Uint8Array.fromHex(hex));
    assert.throws(() => loadNonce(disk, PATH, random), isFatal, hex);
    assert.equal(contentOf(disk).toHex(), hex);
    assert.equal(disk.openFiles, 0);
  }
});

Deno.test("a temporary file that a crash left behind does no harm", () => {
  const disk = diskWith(new Uint8Array(100).fill(9), `${PATH}.tmp`);
  loadNonce(disk, PATH, random);
  assert.equal(contentOf(disk).toHex(), "010102030405060708");
  assert.deepEqual(disk.paths, [PATH]);
});

Deno.test("faults of the disk are reported, and the next start tries again", () => {
  for (const kind of ["open", "write", "sync", "rename", "syncFolder"] as const) {
    const disk = diskWith();
    disk.fault = (operation) =>
      operation.kind === kind ? { error: new Error("told so (os error 5)") } : undefined;
    assert.throws(() => loadNonce(disk, PATH, random), isFatal, kind);
    assert.equal(disk.openFiles, 0, kind);
    disk.fault = undefined;
    assert.equal(loadNonce(disk, PATH, random), 0x0807060504030201n, kind);
  }
});

Deno.test("the number is in a real file too, and in every batch; batches of a later life are numbered on", async () => {
  const folder = await Deno.makeTempDir();
  const producerNoncePath = `${folder}/nonce`;
  const seen = new Set<bigint>();
  const starts: bigint[] = [];
  for (let life = 0; life < 2; life++) {
    const clock = new ManualClock();
    await clock.advance(life);
    const adapter = createTestAdapter();
    const options = { shards: 1, scaling: false, producerNoncePath } as const;
    const bus = await createEventBus({ clock, adapter, disk: systemDisk }, options);
    bus.ingestRawBatch(numbered(0, 5));
    await within(clock, bus.shutdown());
    for (const { producerNonce, sequenceStart } of adapter.written) {
      seen.add(producerNonce);
      starts.push(sequenceStart);
    }
  }
  assert.equal(seen.size, 1);
  assert.ok((starts[1] ?? 0n) >= (starts[0] ?? 0n) + 5n);
  assert.equal((await Deno.stat(producerNoncePath)).size, 9);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a file without a disk is an error before anything is started", async () => {
  const adapter = createMemoryAdapter();
  const clock = new ManualClock();
  await assert.rejects(createEventBus({ clock, adapter }, { producerNoncePath: "/x" }), /no disk/);
  assert.equal(await adapter.isHealthy(AbortSignal.abort()), false);
});
