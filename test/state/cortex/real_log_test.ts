/** Folds over the log itself, in memory and on a disk. */
import assert from "node:assert/strict";
import {
  encodeCortexSnapshot,
  openCortex,
  type OpenCortexOptions,
} from "../../../src/state/mod.ts";
import { FuzzRandom } from "../../fuzz/fuzz_random.ts";
import {
  createDiskKit,
  createKitOf,
  createRedexKit,
  type RedexKit,
  STORE_KINDS,
} from "../../log/redex/redex_kit.ts";
import { ORIGIN, settle } from "./harness.ts";
import { ADD, amount, BREAK, SUM_MODEL } from "./sum_model.ts";

const CHANNEL = SUM_MODEL.channel;

function open({ redex, clock }: RedexKit, options: Partial<OpenCortexOptions> = {}) {
  return openCortex({ redex, clock }, SUM_MODEL, { origin: ORIGIN, ...options });
}

for (const kind of STORE_KINDS) {
  Deno.test(`in ${kind}: what was appended is folded, at once and when opened again`, async () => {
    await using kit = createKitOf(kind);
    await using first = await open(kit);
    for (let i = 0; i < 100; i++) first.append(ADD, amount("a", 1));
    assert.equal(first.state.get("a"), 100);
    await using second = await open(kit);
    assert.equal(second.state.get("a"), 100);
    const token = second.append(ADD, amount("a", 1));
    await first.waitForToken(token, 10);
    assert.equal(first.state.get("a"), 101);
    await settle();
    assert.equal(second.state.get("a"), 101);
  });

  Deno.test(`in ${kind}: a snapshot from further on moves the log's numbers on`, async () => {
    await using old = createKitOf(kind);
    const before = await open(old);
    for (let i = 0; i < 10; i++) before.append(ADD, amount("a", 1));
    const snapshot = before.snapshot();
    await before.close();
    for (const kept of [0, 3, 9]) {
      await using kit = createKitOf(kind);
      const shorter = await open(kit);
      for (let i = 0; i < kept; i++) shorter.append(ADD, amount("a", 1));
      await shorter.close();
      await using fold = await open(kit, { snapshot });
      assert.equal(fold.append(ADD, amount("a", 1)).seq, 10n);
      assert.equal(fold.state.get("a"), 11);
      await using again = await open(kit, { snapshot });
      assert.equal(again.state.get("a"), 11);
      // Without the snapshot the numbers that were left out are no reason to stop.
      await using bare = await open(kit);
      assert.deepEqual([bare.state.get("a"), bare.isRunning], [kept + 1, true]);
      assert.deepEqual([bare.missedTotal, bare.setAsideTotal], [0, 0]);
    }
  });

  Deno.test(`in ${kind}: retention leaves a fold that has seen the events alone`, async () => {
    await using kit = createKitOf(kind);
    const config = { isPersistent: kind === "disk", retention: { eventsMax: 5 }, sweepMs: 0 };
    await using fold = await open(kit, { config });
    for (let i = 0; i < 20; i++) fold.append(ADD, amount("a", 1));
    const file = kit.redex.get(CHANNEL);
    assert.equal(await file?.sweep(), 15);
    fold.append(ADD, amount("a", 1));
    await settle();
    assert.deepEqual([fold.state.get("a"), fold.isRunning, fold.missedTotal], [21, true, 0]);
    await using late = await open(kit, { config });
    assert.deepEqual([late.state.get("a"), late.appliedSeq], [6, 20n]);
  });
}

Deno.test("on a disk: a file that others close is opened again, and nothing is lost", async () => {
  await using kit = createDiskKit({ defaults: { isPersistent: true } });
  await using fold = await open(kit);
  fold.append(ADD, amount("a", 1));
  const seen: (number | undefined)[] = [];
  const watching = (async () => {
    for await (const sum of fold.watch((sums) => sums.get("a"))) seen.push(sum);
  })();
  await kit.redex.get(CHANNEL)?.close();
  const other = await kit.redex.open(CHANNEL);
  const writer = await open(kit);
  const token = writer.append(ADD, amount("a", 5));
  await writer.close();
  await fold.waitForToken(token, 10);
  assert.equal(other, await kit.redex.open(CHANNEL));
  fold.append(ADD, amount("a", 1));
  await settle();
  assert.equal(fold.isRunning, true);
  assert.equal(fold.state.get("a"), 7);
  await fold.close();
  await watching;
  assert.deepEqual(seen, [1, 6, 7]);
});

Deno.test("on a disk: numbers that were moved on are moved on again with the file", async () => {
  await using kit = createDiskKit({ defaults: { isPersistent: true } });
  const bytes = encodeCortexSnapshot({ appSeq: 0n, inner: new TextEncoder().encode('[["a",9]]') });
  await using fold = await open(kit, { snapshot: { bytes, lastSeq: 8n } });
  await kit.redex.get(CHANNEL)?.close();
  await untilOpenedAgain(kit);
  assert.equal(fold.isRunning, true);
  assert.equal(fold.append(ADD, amount("a", 1)).seq, 9n);
  assert.equal(fold.state.get("a"), 10);
});

Deno.test("on a disk: a record that was damaged is set aside", async () => {
  const kit = createDiskKit({ defaults: { isPersistent: true } });
  const fold = await open(kit);
  for (let i = 0; i < 5; i++) fold.append(ADD, amount("a", 1 << i));
  await fold.close();
  await kit.redex.close();
  const path = kit.disk.paths.find((name) => name.endsWith("/dat")) ?? "";
  const dat = kit.disk.open(path);
  // A payload has 26 bytes: this one is the third's, and the fourth's.
  dat.writeAt(2 * 26 + 25, Uint8Array.of(0xee, 0xee));
  dat.close();
  await using again = createDiskKit({ disk: kit.disk, defaults: { isPersistent: true } });
  await using damaged = await open(again);
  assert.equal(damaged.state.get("a"), 1 + 2 + 16);
  assert.deepEqual(damaged.setAside.map(({ seq, reason }) => [seq, reason]), [
    [2n, "its record in the log is damaged"],
    [3n, "its record in the log is damaged"],
  ]);
  assert.deepEqual([damaged.appliedSeq, damaged.isRunning], [4n, true]);
});

Deno.test("on a disk: a fold lives through a disk that broke, once it is mended", async () => {
  await using kit = createDiskKit({ defaults: { isPersistent: true } });
  await using fold = await open(kit);
  fold.append(ADD, amount("a", 1));
  const full = new Error("No space left on device (os error 28)");
  // Neither the append nor cutting it off again works, so that the file takes no more.
  kit.disk.fault = ({ kind }) =>
    kind === "write" || kind === "truncate" ? { error: full } : undefined;
  assert.throws(() => fold.append(ADD, amount("a", 2)), { code: "no_space" });
  kit.disk.fault = undefined;
  await kit.clock.advance(10);
  await untilOpenedAgain(kit);
  const token = fold.append(ADD, amount("a", 3));
  assert.equal(token.seq, 1n);
  assert.equal(fold.state.get("a"), 4);
  await using again = await open(kit);
  assert.equal(again.state.get("a"), 4);
});

Deno.test("a fold of a channel that was removed stops, and does not bring it back", async () => {
  await using kit = createDiskKit({ defaults: { isPersistent: true } });
  await using fold = await open(kit);
  fold.append(ADD, amount("a", 1));
  await kit.redex.remove(CHANNEL);
  await settle();
  assert.equal(fold.failure, "the log was closed");
  assert.deepEqual(await kit.redex.names(), []);
});

Deno.test("a fold of a channel that was removed and begun anew stops", async () => {
  await using kit = createDiskKit({ defaults: { isPersistent: true } });
  await using fold = await open(kit);
  fold.append(ADD, amount("a", 1));
  const removing = kit.redex.remove(CHANNEL);
  await Promise.all([removing, kit.redex.open(CHANNEL)]);
  await settle();
  assert.equal(fold.failure, "the log was removed and begun anew");
});

Deno.test("a fold of a log in memory that was closed stops", async () => {
  await using kit = createRedexKit();
  await using fold = await open(kit);
  fold.append(ADD, amount("a", 1));
  await kit.redex.get(CHANNEL)?.close();
  await settle();
  assert.deepEqual([fold.failure, fold.isRunning], ["the log was closed", false]);
});

Deno.test("a fold that halted lets its log go", async () => {
  await using kit = createRedexKit();
  await using fold = await open(kit);
  fold.append(BREAK, new Uint8Array(0));
  await settle();
  assert.equal(fold.isRunning, false);
  await kit.redex.close();
});
Deno.test("after a crash the state is what was synced, snapshots go on, and no number comes twice", async () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = new FuzzRandom(seed);
    const kit = createDiskKit({ defaults: { isPersistent: true } });
    // The node's own folder is there before its log.
    kit.disk.makeFolder("data");
    kit.disk.syncFolder("");
    const fold = await open(kit);
    let sum = 0;
    let synced = { seq: -1n, sum: 0 };
    let saved = fold.snapshot();
    let savedSum = 0;
    for (let i = 0; i < 30; i++) {
      const value = 1 + random.below(9);
      fold.append(ADD, amount("a", value));
      sum += value;
      if (random.below(5) === 0) {
        await fold.sync();
        synced = { seq: fold.persistedSeq - 1n, sum };
      }
      if (random.below(7) === 0) [saved, savedSum] = [fold.snapshot(), sum];
    }
    const last = fold.appliedSeq ?? -1n;
    const disk = kit.disk.afterCrash(() => random.below(1_000) / 1_000);
    await fold.close();
    await kit.redex.close().catch(() => {});
    await using again = createDiskKit({ disk, defaults: { isPersistent: true } });
    await using bare = await open(again);
    assert.ok((bare.appliedSeq ?? -1n) >= synced.seq, `seed ${seed}`);
    assert.ok((bare.state.get("a") ?? 0) >= synced.sum, `seed ${seed}`);
    await bare.close();
    await using restored = await open(again, { snapshot: saved });
    assert.equal(restored.isRunning, true);
    assert.ok((restored.state.get("a") ?? 0) >= Math.max(savedSum, synced.sum), `seed ${seed}`);
    const savedSeq = saved.lastSeq ?? -1n;
    const token = restored.append(ADD, amount("a", 1));
    assert.ok(token.seq > savedSeq && token.seq <= last + 1n, `seed ${seed}`);
    await restored.waitForToken(token, 0);
    // Opened once more it is the same.
    await using twice = await open(again, { snapshot: saved });
    assert.deepEqual([...twice.state], [...restored.state]);
  }
});

/** Opening a file again takes as many turns as the disk needs for it. */
async function untilOpenedAgain(kit: ReturnType<typeof createDiskKit>): Promise<void> {
  await settle();
  for (let turn = 0; turn < 100 && kit.redex.get(CHANNEL) === undefined; turn++) await settle();
  await settle();
}
