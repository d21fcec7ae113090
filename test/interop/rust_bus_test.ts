/** One Redis between our bus and the Rust core's: what one writes the other reads, with the same cursors. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/mod.ts";
import {
  createEventBus,
  createRedisAdapter,
  type EventBus,
  parseFilter,
  RedisStreamDedup,
} from "../../src/log/mod.ts";
import { skipReason } from "../log/bus/engines/server_process.ts";
import { REDIS_SERVER, type RedisServer, startRedis } from "../log/bus/engines/redis_server.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import type { RustBusOperations } from "./rust_bus_process.ts";
import { rustPeerSkipReason, rustPeerTest } from "./rust_peer.ts";

const SHARDS = 2;
const EVENTS = Array.from({ length: 300 }, (_, i) => JSON.stringify({ i, kind: i % 3, x: "ü" }));

type RustBus = LineProcess<RustBusOperations>;

Deno.test({
  name: "a bus of ours and one of the Rust core read each other's events in one Redis",
  ignore: whyNot() !== undefined,
  fn: async (t) => {
    await using server = await startRedis();
    await using rust = await openRust(server, "net");
    await using ours = await openOurs(server, "net");

    await t.step("ours reads the core's events, of the same shards and times", async () => {
      const shards = await rust.call("ingest", { events: EVENTS });
      const theirs = await rust.call("poll", { limit: 1_000 });
      const { events } = await ours.poll({ limit: 1_000 });
      assert.deepEqual(events.map(flat), theirs.events);
      assert.equal(events.length, EVENTS.length);
      const byText = new Map(events.map(({ raw, shard }) => [textOf(raw), shard]));
      assert.deepEqual(EVENTS.map((text) => byText.get(text)), shards);
      assert.ok(events.every(({ dedupId }) => /^[0-9a-f]{1,16}:[01]:\d+:\d+$/.test(dedupId ?? "")));
    });

    await t.step("the core reads ours, chosen shards being the same", async () => {
      await using server = await startRedis();
      await using rust = await openRust(server, "own");
      await using ours = await openOurs(server, "own");
      const shards = EVENTS.map((text) => ours.ingestRaw(new TextEncoder().encode(text)).shard);
      await ours.flush();
      const { events } = await rust.call("poll", { limit: 1_000 });
      const byText = new Map(events.map(({ raw, shard }) => [raw, shard]));
      assert.deepEqual(EVENTS.map((text) => byText.get(text)), shards);
      assert.deepEqual((await ours.poll({ limit: 1_000 })).events.map(flat), events);
    });

    await t.step("pages and cursors of one go on at the other", async () => {
      const first = await ours.poll({ limit: 100 });
      const theirFirst = await rust.call("poll", { limit: 100 });
      assert.deepEqual(first.events.map(flat), theirFirst.events);
      const rest = await rust.call("poll", { limit: 1_000, cursor: first.nextId });
      const ourRest = await ours.poll({ limit: 1_000, fromId: theirFirst.nextId ?? undefined });
      assert.deepEqual(ourRest.events.map(flat), rest.events);
      const ids = [...first.events.map(flat), ...rest.events].map(({ id, shard }) =>
        `${shard} ${id}`
      );
      assert.equal(new Set(ids).size, EVENTS.length);
      assert.equal(ids.length, EVENTS.length);
    });

    await t.step("filters choose the same", async () => {
      const filter = JSON.stringify({ path: "kind", value: 1 });
      const theirs = await rust.call("poll", { limit: 1_000, filter });
      const { events } = await ours.poll({ limit: 1_000, filter: parseFilter(filter) });
      assert.equal(events.length, 100);
      assert.deepEqual(events.map(flat), theirs.events);
    });

    await t.step("what is not JSON is lost in the core's poll and not in ours", async () => {
      await rust.call("ingest", { events: ["not json", " [1] "] });
      const texts = (await ours.poll({ limit: 1_000 })).events.map(({ raw }) => textOf(raw));
      assert.ok(texts.includes("not json") && texts.includes(" [1] "));
    });
  },
});

rustPeerTest("RedisStreamDedup says of any ids what the core's says", async () => {
  const program = new URL("./rust_bus_process.ts", import.meta.url);
  await using rust = startLineProcess<RustBusOperations>(program, { name: "Rust bus" });
  for (const capacity of [0, 1, 2, 7, 64]) {
    const ids = Array.from({ length: 500 }, (_, i) => `1f:0:${i * i % 97}:${i % 3}`);
    const own = new RedisStreamDedup(capacity);
    const duplicates = ids.map((id) => own.isDuplicate(id));
    const theirs = await rust.call("dedup", { capacity, ids });
    assert.deepEqual({ duplicates, size: own.size }, theirs, `capacity ${capacity}`);
  }
});

async function openRust(server: RedisServer, prefix: string): Promise<RustBus> {
  const program = new URL("./rust_bus_process.ts", import.meta.url);
  const rust = startLineProcess<RustBusOperations>(program, { name: "Rust bus" });
  await rust.call("open", { url: server.url, prefix, shards: SHARDS });
  return rust;
}

async function openOurs(server: RedisServer, prefix: string): Promise<EventBus> {
  const adapter = createRedisAdapter({ url: server.url, prefix }, { log: { warn() {} } });
  return await createEventBus({ clock: systemClock, adapter }, { shards: SHARDS, scaling: false });
}

function flat(
  { id, raw, insertionTs, shard }: {
    readonly id: string;
    readonly raw: Uint8Array;
    readonly insertionTs: bigint;
    readonly shard: number;
  },
) {
  return { id, raw: textOf(raw), insertionTs, shard };
}

function textOf(raw: Uint8Array): string {
  return new TextDecoder().decode(raw);
}

function whyNot(): string | undefined {
  const reason = rustPeerSkipReason() ?? skipReason(REDIS_SERVER);
  if (reason !== undefined) console.log(`ignored: buses in one Redis: ${reason}`);
  return reason;
}
