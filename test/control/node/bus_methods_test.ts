import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import { MethodTable } from "../../../src/control/mod.ts";
import { busMethods, type BusNode } from "../../../src/control/node/bus_methods.ts";
import {
  createEventBus,
  createFeedCounters,
  createMemoryAdapter,
  type EventBus,
} from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

type Row = Record<string, unknown>;

async function startMethods() {
  const clock = new ManualClock();
  const bus = await createEventBus({ clock, adapter: createMemoryAdapter() }, { shards: 1 });
  const stop = new AbortController();
  const view = {
    engine: "log",
    clock,
    stopSignal: stop.signal,
    health: () => ({ state: "healthy" }),
    feed: {
      peer: "000000000000000a",
      isConnected: true,
      accept: "any",
      counters: { ...createFeedCounters(), events: 5, notAllowed: 2 },
      sources: [{ node: "000000000000000b", isListening: true, events: 5 }],
    },
    open: () => Promise.resolve(bus),
    publish: async (events: readonly Uint8Array[], options: { readonly isFlushed?: boolean }) => {
      for (const event of events) bus.ingestRaw(event);
      if (options.isFlushed) await bus.flush();
      return { taken: events.length, refused: 0 };
    },
  };
  const table = new MethodTable();
  table.register(...busMethods({ bus: view } as unknown as BusNode));
  const told: Row[] = [];
  const call = async (name: string, params: Row, signal = new AbortController().signal) =>
    await table.lookup(name)?.call(params, {
      transport: "unix",
      signal,
      progress: () => {},
      send: (data) => Promise.resolve(void told.push(data as Row)),
    }) as Row;
  const passing = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    const settled = work.catch(() => {}).finally(() => isDone = true);
    assert.ok(await clock.advanceUntil(() => isDone, 60_000));
    await settled;
    return await work;
  };
  const items = () => told.flatMap((report) => (report.items ?? []) as Row[]);
  return { bus, clock, call, told, items, passing, stop };
}

async function closing(kit: { readonly bus: EventBus; passing<T>(work: Promise<T>): Promise<T> }) {
  await kit.passing(kit.bus.shutdown());
}

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("bus.publish takes JSON, any bytes when asked to, and flushes", async () => {
  const kit = await startMethods();
  const { call, passing } = kit;
  const done = await passing(call("bus.publish", { events: ['{"a":1}', "2"], flush: true }));
  const peer = "000000000000000a";
  assert.deepEqual(done, { taken: 2, refused: 0, engine: "log", peer });
  await assert.rejects(call("bus.publish", { events: ["1", "no json"] }), (error) => {
    assert.deepEqual((error as NetError).data, { event_index: 1 });
    return hasCode("usage")(error);
  });
  const any = { events: ["/w=="], encoding: "base64", any: true, flush: true };
  await passing(call("bus.publish", any));
  await passing(call("bus.poll", {}));
  assert.deepEqual(kit.items().map(({ text, base64 }) => text ?? base64), ['{"a":1}', "2", "/w=="]);
  await closing(kit);
});

Deno.test("bus.poll pages through everything, with a cursor to go on with", async () => {
  const kit = await startMethods();
  const { call, passing } = kit;
  for (let i = 0; i < 2_500; i++) kit.bus.ingestRaw(utf8(`{"n":${i}}`));
  await passing(kit.bus.flush());
  const first = await passing(call("bus.poll", { limit: 1_200 }));
  assert.deepEqual([first.events, kit.items().length, first.has_more], [1_200, 1_200, true]);
  const cursors = kit.told.filter(({ cursor }) => cursor !== undefined);
  assert.equal(cursors.at(-1)?.cursor, first.next, "each page says where to go on");
  const rest = await passing(call("bus.poll", { cursor: first.next, where: "n>=2498" }));
  assert.deepEqual([rest.events, rest.has_more], [2, false]);
  const none = await passing(call("bus.poll", { cursor: rest.next }));
  assert.deepEqual([none.events, none.next], [0, rest.next]);
  await assert.rejects(call("bus.poll", { where: "n>" }), hasCode("usage"));
  await assert.rejects(call("bus.poll", { cursor: "?" }), hasCode("usage"));
  await closing(kit);
});

Deno.test("bus.poll follows until the caller goes, or so many came", async () => {
  const kit = await startMethods();
  const { call, passing } = kit;
  const following = call("bus.poll", { follow: true, limit: 2 });
  for (const event of ["1", "2", "3"]) {
    kit.bus.ingestRaw(utf8(event));
    await kit.clock.advance(50);
  }
  const result = await passing(following);
  assert.deepEqual([result.events, kit.items().map(({ text }) => text)], [2, ["1", "2"]]);
  const caller = new AbortController();
  const left = assert.rejects(call("bus.poll", { follow: true }, caller.signal), /left/);
  await kit.clock.advance(200);
  caller.abort(new Error("left"));
  await kit.clock.advance(200);
  await left;
  await closing(kit);
});

Deno.test("bus.stats tells of the engine and each shard", async () => {
  const kit = await startMethods();
  kit.bus.ingestRaw(utf8("1"));
  await kit.passing(kit.bus.flush());
  const stats = await kit.call("bus.stats", {});
  assert.deepEqual([stats.engine, stats.ingested, stats.dispatched, stats.dropped], [
    "log",
    1,
    1,
    0,
  ]);
  const feed = stats.feed as Row;
  assert.deepEqual([feed.peer, feed.is_connected, feed.accept, feed.events, feed.not_allowed], [
    "000000000000000a",
    true,
    "any",
    5,
    2,
  ]);
  assert.deepEqual(feed.sources, [{ node: "000000000000000b", listening: true, events: 5 }]);
  const [shard] = stats.shards as Row[];
  assert.deepEqual([shard?.shard, shard?.state, shard?.ingested], [0, "active", 1]);
  await closing(kit);
});
