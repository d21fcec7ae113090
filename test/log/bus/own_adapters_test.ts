/** What the adapters in the process have in common; those of servers have their own suite (`engines/compliance.ts`). */
import assert from "node:assert/strict";
import {
  type BusAdapter,
  createLogAdapter,
  createMemoryAdapter,
  createNoopAdapter,
  openRedex,
} from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { batchOf, bytesOf, failureOf, pollAll, SIGNAL } from "./engines/adapter_kit.ts";

const KEEPING: Readonly<Record<string, () => BusAdapter>> = {
  memory: createMemoryAdapter,
  log: () =>
    createLogAdapter(openRedex({ clock: new ManualClock() }), {
      channels: { isPersistent: false },
    }),
};

for (const [name, create] of Object.entries(KEEPING)) {
  Deno.test(`${name}: any bytes come back as they were, in order, with their times`, async () => {
    const adapter = create();
    await adapter.start();
    const raws = ['{"a":1}', " [1] ", "not json", "", '1,"t":5,"s":6}'].map(bytesOf);
    raws.push(new Uint8Array([0xff, 0, 0x0d, 0x0a]));
    await adapter.write(batchOf(raws, { shard: 3 }), SIGNAL);
    const { events, hasMore } = await adapter.poll(3, undefined, 100, SIGNAL);
    assert.deepEqual(events.map(({ raw }) => raw), raws);
    assert.deepEqual(
      events.map(({ insertionTs }) => insertionTs),
      raws.map((_, i) => 100n + BigInt(i)),
    );
    assert.ok(events.every(({ shard }) => shard === 3));
    assert.equal(hasMore, false);
    await adapter.stop();
  });

  Deno.test(`${name}: poll() goes through a shard page by page, and takes limit 0`, async () => {
    const adapter = create();
    await adapter.start();
    const raws = Array.from({ length: 250 }, (_, i) => bytesOf(String(i)));
    await adapter.write(batchOf(raws), SIGNAL);
    await adapter.write(batchOf(raws, { sequenceStart: 250n }), SIGNAL);
    assert.deepEqual((await pollAll(adapter, 0, 100)).map(({ raw }) => raw), [...raws, ...raws]);
    const none = await adapter.poll(0, undefined, 0, SIGNAL);
    assert.deepEqual([none.events, none.nextId, none.hasMore], [[], undefined, true]);
    const end = await adapter.poll(0, "499", 10, SIGNAL);
    assert.deepEqual([end.events, end.hasMore], [[], false]);
    assert.deepEqual((await adapter.poll(7, undefined, 10, SIGNAL)).events, []);
    await adapter.stop();
  });

  Deno.test(`${name}: cursors of others are refused`, async () => {
    const adapter = create();
    await adapter.start();
    await adapter.write(batchOf([bytesOf("1")]), SIGNAL);
    for (const id of ["1-2", "x", "0:1", ""]) {
      assert.equal((await failureOf(adapter.poll(0, id, 10, SIGNAL))).kind, "cursor", id);
    }
    await adapter.stop();
  });

  Deno.test(`${name}: shards() and lastInsertionTs() tell what is kept`, async () => {
    const adapter = create();
    await adapter.start();
    for (const shard of [0, 2, 40]) {
      await adapter.write(batchOf(["1", "2"].map(bytesOf), { shard }), SIGNAL);
    }
    assert.deepEqual(await adapter.shards?.(SIGNAL), [0, 2, 40]);
    assert.equal(await adapter.lastInsertionTs?.(2, SIGNAL), 101n);
    assert.equal(await adapter.lastInsertionTs?.(1, SIGNAL), undefined);
    await adapter.stop();
  });
}

for (const [name, create] of Object.entries({ ...KEEPING, noop: createNoopAdapter })) {
  Deno.test(`${name}: after a stop calls fail for good, and after a start they work again`, async () => {
    const adapter = create();
    assert.equal(await adapter.isHealthy(SIGNAL), false);
    await adapter.start();
    assert.equal(await adapter.isHealthy(SIGNAL), true);
    await adapter.write(batchOf([bytesOf("1")]), SIGNAL);
    await adapter.flush(SIGNAL);
    await adapter.stop();
    await adapter.stop();
    assert.equal(await adapter.isHealthy(SIGNAL), false);
    assert.equal((await failureOf(adapter.write(batchOf([bytesOf("2")]), SIGNAL))).kind, "fatal");
    assert.equal((await failureOf(adapter.poll(0, undefined, 1, SIGNAL))).kind, "fatal");
    assert.equal((await failureOf(adapter.flush(SIGNAL))).kind, "fatal");
    await adapter.start();
    await adapter.write(batchOf([bytesOf("3")], { sequenceStart: 1n }), SIGNAL);
    await adapter.stop();
  });
}
