import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  type BusAdapter,
  BusError,
  decodeCursor,
  encodeCursor,
  parseFilter,
  type PollRequest,
  type PollResponse,
  type ShardPoll,
  type StoredEvent,
} from "../../../src/log/mod.ts";
import { mergeShards } from "../../../src/log/bus/merge.ts";
import { pollShards } from "../../../src/log/bus/poll.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { within } from "./bus_kit.ts";

type Shards = Readonly<Record<number, readonly string[] | Error>>;

/** An engine with these events per shard; ids are `1-0`, `2-0`, ... */
function engineOf(shards: Shards, asked: number[] = []): Pick<BusAdapter, "name" | "poll"> {
  return {
    name: "test",
    poll: (shard, fromId, limit): Promise<ShardPoll> => {
      asked.push(limit);
      const kept = shards[shard] ?? [];
      if (kept instanceof Error) return Promise.reject(kept);
      const from = fromId === undefined ? 0 : Number(fromId.split("-")[0]);
      const events = kept.slice(from, from + limit).map((text, i): StoredEvent => ({
        id: `${from + i + 1}-0`,
        raw: utf8(text),
        insertionTs: BigInt((from + i + 1) * 10 + shard),
        shard,
      }));
      return Promise.resolve({
        events,
        nextId: events.at(-1)?.id ?? fromId,
        hasMore: from + events.length < kept.length,
      });
    },
  };
}

function poll(
  engine: Pick<BusAdapter, "name" | "poll">,
  shards: readonly number[],
  request: PollRequest,
): Promise<PollResponse> {
  const adapter = engine as BusAdapter;
  return pollShards(
    { clock: new ManualClock(), adapter, timeoutMs: 1_000, shards: () => Promise.resolve(shards) },
    request,
  );
}

const many = (count: number, text = "1") => Array.from({ length: count }, () => text);
const cursorOf = (page: PollResponse) => decodeCursor(page.nextId ?? "");

Deno.test("nothing asked gives nothing and echoes the cursor", async () => {
  const engine = engineOf({ 0: many(3) });
  for (const request of [{ limit: 0 }, { limit: 5, shards: [] }]) {
    const page = await poll(engine, [0], { ...request, fromId: "eyIwIjoiMS0wIn0=" });
    assert.deepEqual([page.events, page.nextId, page.hasMore], [[], "eyIwIjoiMS0wIn0=", false]);
  }
  assert.equal((await poll(engine, [0], { limit: 0 })).nextId, undefined);
});

Deno.test("each shard is asked for twice its share, with a filter three times, at most ten thousand", async () => {
  const asked: number[] = [];
  const engine = engineOf({ 0: [], 1: [], 2: [] }, asked);
  await poll(engine, [0, 1, 2], { limit: 10 });
  await poll(engine, [0, 1, 2], { limit: 10, filter: parseFilter('{"path":"a","value":1}') });
  assert.deepEqual(asked, [8, 8, 8, 12, 12, 12]);
  asked.length = 0;
  assert.equal((await poll(engine, [0], { limit: 5_001 })).isCutAtShardCap, true);
  assert.equal((await poll(engine, [0], { limit: 5_000 })).isCutAtShardCap, false);
  assert.deepEqual(asked, [10_000, 10_000]);
});

Deno.test("shards are asked once each and answered in order, whatever order they are given in", async () => {
  const engine = engineOf({ 0: ["1"], 1: ["2"], 2: ["3"] });
  const page = await poll(engine, [], { limit: 10, shards: [2, 0, 2, 1, 0] });
  assert.deepEqual(page.events.map(({ shard }) => shard), [0, 1, 2]);
});

Deno.test("without a filter the cursor is the last event that was given", async () => {
  const engine = engineOf({ 0: many(10), 1: many(10) });
  const page = await poll(engine, [0, 1], { limit: 4 });
  assert.deepEqual(page.events.map(({ shard }) => shard), [0, 0, 0, 0]);
  assert.deepEqual(cursorOf(page), new Map([[0, "4-0"]]));
  assert.deepEqual([page.hasMore, page.stalledShards], [true, [1]]);
});

Deno.test("with a filter the cursor passes what did not match, and goes back to what was cut", async () => {
  const texts = ['{"a":1}', "0", '{"a":1}', "0", "0", '{"a":1}', "not json"];
  const engine = engineOf({ 0: texts });
  const filter = parseFilter('{"path":"a","value":1}');
  const first = await poll(engine, [0], { limit: 2, filter });
  assert.deepEqual(first.events.map(({ id }) => id), ["1-0", "3-0"]);
  // 4-0 and 5-0 were looked at, and need not be again.
  assert.deepEqual(cursorOf(first), new Map([[0, "5-0"]]));
  assert.equal(first.hasMore, true);
  const second = await poll(engine, [0], { limit: 2, filter, fromId: first.nextId });
  assert.deepEqual(second.events.map(({ id }) => id), ["6-0"]);
  assert.deepEqual(cursorOf(second), new Map([[0, "7-0"]]));
});

Deno.test("a page of which nothing matched says that there may be more", async () => {
  const engine = engineOf({ 0: many(3, "0") });
  const filter = parseFilter('{"path":"a","value":1}');
  const first = await poll(engine, [0], { limit: 2, filter });
  assert.deepEqual([first.events.length, first.hasMore], [0, true]);
  const second = await poll(engine, [0], { limit: 2, filter, fromId: first.nextId });
  assert.deepEqual([second.hasMore, second.nextId], [false, first.nextId]);
});

Deno.test("a cursor of another kind than the shard's ids fails that shard, and the others answer", async () => {
  const engine = engineOf({ 0: many(3), 1: many(3) });
  const fromId = encodeCursor(new Map([[0, "1"]]));
  const page = await poll(engine, [0, 1], { limit: 10, fromId });
  assert.equal(page.events.length, 3);
  assert.match(page.failedShards[0]?.error ?? "", /kind numeric, must be of kind redis/);
  assert.deepEqual(cursorOf(page), new Map([[0, "1"], [1, "3-0"]]));
});

Deno.test("a shard that fails is reported; when all fail the poll does", async () => {
  const broken = new BusError("fatal", "Cannot read: told so", { data: { id: "7-0" } });
  const page = await poll(engineOf({ 0: broken, 1: many(2) }), [0, 1], { limit: 10 });
  assert.deepEqual(page.failedShards, [
    { shard: 0, error: "Cannot read: told so", damagedId: "7-0" },
  ]);
  assert.equal(page.events.length, 2);
  await assert.rejects(poll(engineOf({ 0: broken }), [0], { limit: 10 }), /told so/);
});

Deno.test("an engine that does not answer fails its shard in time", async () => {
  const clock = new ManualClock();
  const engine = engineOf({ 0: many(1) });
  const adapter = {
    ...engine,
    poll: (shard: number, from: string | undefined, limit: number, signal: AbortSignal) =>
      shard === 1 ? new Promise<never>(() => {}) : engine.poll(shard, from, limit, signal),
  } as BusAdapter;
  const shards = () => Promise.resolve([0, 1]);
  const page = await within(
    clock,
    pollShards({ clock, adapter, timeoutMs: 1_000, shards }, { limit: 5 }),
  );
  assert.equal(page.events.length, 1);
  assert.match(page.failedShards[0]?.error ?? "", /more than 1000 ms/);
});

Deno.test("what is no limit and no shard is refused", async () => {
  const engine = engineOf({});
  for (const limit of [-1, 1.5, NaN, 1e9]) {
    await assert.rejects(poll(engine, [0], { limit }), /limit/);
  }
  for (const shard of [-1, 65_536, 0.5]) {
    await assert.rejects(poll(engine, [0], { limit: 1, shards: [shard] }), /shard/);
  }
  await assert.rejects(poll(engine, [0], { limit: 1, fromId: "!!" }), /cursor/);
  const ordering = "time" as "none";
  await assert.rejects(poll(engine, [0], { limit: 1, ordering }), /ordering is "time"/);
});

Deno.test("a merge is by time, shard and id, and keeps the order of a shard whose times fall", () => {
  const event = (shard: number, id: string, insertionTs: bigint): StoredEvent => ({
    id,
    raw: new Uint8Array(),
    insertionTs,
    shard,
  });
  const shards = [
    [event(0, "0", 5n), event(0, "1", 7n), event(0, "2", 1n)],
    [event(1, "0", 5n), event(1, "1", 6n)],
    [],
    [event(3, "0", 0n)],
  ];
  const order = (limit: number, ordering: "none" | "insertion_ts") =>
    mergeShards(shards.map((events) => ({ events, frontier: undefined })), limit, ordering).map((
      { shard, id },
    ) => `${shard}/${id}`);
  assert.deepEqual(order(10, "insertion_ts"), ["3/0", "0/0", "1/0", "1/1", "0/1", "0/2"]);
  assert.deepEqual(order(3, "insertion_ts"), ["3/0", "0/0", "1/0"]);
  assert.deepEqual(order(4, "none"), ["0/0", "0/1", "0/2", "1/0"]);
});

Deno.test("pages in order of time are in order over all pages, however unequal the shards are", async () => {
  const engine = engineOf({ 0: many(100), 1: many(3), 2: many(40), 3: [], 4: many(1) });
  const times: bigint[] = [];
  let fromId: string | undefined;
  for (let turn = 0; turn < 100; turn++) {
    const page = await poll(engine, [0, 1, 2, 3, 4], {
      limit: 10,
      ordering: "insertion_ts",
      fromId,
    });
    times.push(...page.events.map(({ insertionTs }) => insertionTs));
    fromId = page.nextId;
    if (!page.hasMore) break;
  }
  assert.equal(times.length, 144);
  assert.ok(times.every((time, i) => i === 0 || time > (times[i - 1] ?? time)));
});
