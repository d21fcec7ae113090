/** What every adapter of an engine does, run against real servers. */
import assert from "node:assert/strict";
import type { BusAdapter } from "../../../../src/log/bus/mod.ts";
import { batchOf, bytesOf, failureOf, openAdapter, pollAll, SIGNAL } from "./adapter_kit.ts";
import type { ServerProcess } from "./server_process.ts";

/** How the suite gets at an engine. */
export interface EngineUnderTest {
  readonly name: string;
  readonly test: (name: string, fn: (t: Deno.TestContext) => Promise<void>) => void;
  startServer(): Promise<ServerProcess>;
  /** An adapter with the shortest deadlines that are fair. */
  create(server: ServerProcess): BusAdapter;
  /** Puts a record into a shard as another program would. */
  inject(server: ServerProcess, shard: number, data: Uint8Array): Promise<void>;
}

/** Registers the suite. */
export function engineCompliance(engine: EngineUnderTest): void {
  const { name, test } = engine;
  const open = (server: ServerProcess) => openAdapter(engine.create(server));

  test(`${name}: any bytes come back as they were, in order, with times and dedup ids`, async () => {
    await using server = await engine.startServer();
    await using adapter = await open(server);
    const raws = ['{"a":1}', " [1, 2] ", "not json", "", '"ü"', '1,"t":5,"s":6}'].map(bytesOf);
    raws.push(new Uint8Array([0xff, 0, 0x0d, 0x0a, 0xfe]));
    await adapter.write(
      batchOf(raws, { shard: 3, producerNonce: 0xabcn, sequenceStart: 7n }),
      SIGNAL,
    );
    const { events, hasMore, nextId } = await adapter.poll(3, undefined, 100, SIGNAL);
    assert.deepEqual(events.map(({ raw }) => raw), raws);
    assert.deepEqual(events.map(({ dedupId }) => dedupId), raws.map((_, i) => `abc:3:7:${i}`));
    const times = raws.map((_, i) => 100n + BigInt(i));
    assert.deepEqual(events.map(({ insertionTs }) => insertionTs), times);
    assert.ok(events.every(({ shard }) => shard === 3));
    assert.equal(hasMore, false);
    assert.equal(nextId, events.at(-1)?.id);
  });

  test(`${name}: poll() goes through a shard page by page`, async () => {
    await using server = await engine.startServer();
    await using adapter = await open(server);
    const raws = Array.from({ length: 2_500 }, (_, i) => bytesOf(String(i)));
    await adapter.write(batchOf(raws), SIGNAL);
    await adapter.write(batchOf([bytesOf("other")], { shard: 1 }), SIGNAL);
    const first = await adapter.poll(0, undefined, 1_000, SIGNAL);
    assert.equal(first.events.length, 1_000);
    assert.equal(first.hasMore, true);
    assert.equal(first.nextId, first.events[999]?.id);
    const all = await pollAll(adapter, 0, 1_000);
    assert.deepEqual(all.map(({ raw }) => raw), raws);
    const end = await adapter.poll(0, all.at(-1)?.id, 10, SIGNAL);
    assert.deepEqual([end.events, end.nextId, end.hasMore], [[], undefined, false]);
    const exact = await adapter.poll(1, undefined, 1, SIGNAL);
    assert.equal(exact.hasMore, false);
  });

  test(`${name}: poll() of a shard nobody wrote to, and with limit 0, is empty`, async () => {
    await using server = await engine.startServer();
    await using adapter = await open(server);
    const empty = { events: [], nextId: undefined, hasMore: false };
    assert.deepEqual(await adapter.poll(9, undefined, 10, SIGNAL), empty);
    assert.deepEqual(await adapter.poll(0, undefined, 0, SIGNAL), empty);
    assert.equal((await failureOf(adapter.poll(0, "no id", 10, SIGNAL))).kind, "cursor");
  });

  test(`${name}: shards() and lastInsertionTs() tell what is kept`, async () => {
    await using server = await engine.startServer();
    await using adapter = await open(server);
    assert.deepEqual(await adapter.shards?.(SIGNAL), []);
    for (const shard of [0, 2, 40]) {
      await adapter.write(batchOf(["1", "2"].map(bytesOf), { shard }), SIGNAL);
    }
    assert.equal(await adapter.lastInsertionTs?.(2, SIGNAL), 101n);
    assert.equal(await adapter.lastInsertionTs?.(1, SIGNAL), undefined);
    await adapter.start();
    assert.deepEqual(await adapter.shards?.(SIGNAL), [0, 2, 40]);
  });

  test(`${name}: a broken record ends a page, and the poll that begins with it fails`, async () => {
    await using server = await engine.startServer();
    await using adapter = await open(server);
    await adapter.write(batchOf([bytesOf("1"), bytesOf("2")]), SIGNAL);
    await engine.inject(server, 0, bytesOf("broken"));
    await engine.inject(
      server,
      0,
      bytesOf(' {"s": 0, "t": 7, "x": [1, "}"], "r": {"by": "others"} } '),
    );
    const page = await adapter.poll(0, undefined, 10, SIGNAL);
    assert.equal(page.events.length, 2);
    assert.equal(page.hasMore, true);
    const failure = await failureOf(adapter.poll(0, page.nextId, 10, SIGNAL));
    assert.equal(failure.kind, "fatal");
    const rest = await adapter.poll(0, String(failure.data?.id), 10, SIGNAL);
    assert.deepEqual(rest.events.map(({ raw }) => raw), [bytesOf('{"by": "others"}')]);
    assert.equal(rest.events[0]?.insertionTs, 7n);
  });

  test(`${name}: an adapter that is not started or was stopped fails for good`, async () => {
    await using server = await engine.startServer();
    const adapter = engine.create(server);
    const batch = batchOf([bytesOf("1")]);
    assert.equal((await failureOf(adapter.write(batch, SIGNAL))).kind, "fatal");
    assert.equal(await adapter.isHealthy(SIGNAL), false);
    await adapter.start();
    await adapter.write(batch, SIGNAL);
    assert.equal(await adapter.isHealthy(SIGNAL), true);
    await adapter.stop();
    await adapter.stop();
    assert.equal((await failureOf(adapter.write(batch, SIGNAL))).kind, "fatal");
    assert.equal((await failureOf(adapter.poll(0, undefined, 1, SIGNAL))).kind, "fatal");
    await adapter.start();
    await adapter.start();
    assert.equal((await pollAll(adapter)).length, 1);
    await adapter.stop();
  });

  test(`${name}: start() fails with "transient" while the server is down`, async () => {
    await using server = await engine.startServer();
    await server.kill();
    const adapter = engine.create(server);
    assert.equal((await failureOf(adapter.start())).kind, "transient");
    await server.start();
    await adapter.start();
    await adapter.stop();
  });

  test(`${name}: write() waits for a server that is starting again`, async () => {
    await using server = await engine.startServer();
    await using adapter = await open(server);
    await server.kill();
    const written = adapter.write(batchOf([bytesOf("1")]), SIGNAL);
    await server.start();
    await written;
    assert.equal((await pollAll(adapter)).length, 1);
  });

  test(`${name}: a server that hangs costs no call more than its deadline`, async () => {
    await using server = await engine.startServer();
    await using adapter = await open(server);
    await adapter.write(batchOf([bytesOf("1")]), SIGNAL);
    await adapter.poll(0, undefined, 1, SIGNAL);
    assert.equal(await adapter.isHealthy(SIGNAL), true);
    await server.pause();
    const begin = performance.now();
    const second = batchOf([bytesOf("2")], { sequenceStart: 1n });
    const [written, polled, healthy] = await Promise.all([
      failureOf(adapter.write(second, SIGNAL)),
      failureOf(adapter.poll(0, undefined, 1, SIGNAL)),
      adapter.isHealthy(SIGNAL),
    ]);
    assert.ok(performance.now() - begin < 3_000);
    assert.equal(written.kind, "transient");
    assert.equal(polled.kind, "transient");
    assert.equal(healthy, false);
    server.resume();
    await adapter.write(second, SIGNAL);
    const ids = new Set((await pollAll(adapter)).map(({ dedupId }) => dedupId));
    assert.deepEqual([...ids], ["1f:0:0:0", "1f:0:1:0"]);
    assert.equal(await adapter.isHealthy(SIGNAL), true);
  });

  test(`${name}: a signal ends a call that waits`, async () => {
    await using server = await engine.startServer();
    await using adapter = await open(server);
    await server.pause();
    const stop = new AbortController();
    const written = failureOf(adapter.write(batchOf([bytesOf("1")]), stop.signal));
    stop.abort();
    assert.equal((await written).kind, "transient");
    server.resume();
  });
}
