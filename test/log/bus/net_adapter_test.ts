import assert from "node:assert/strict";
import { createNoiseKeyPair } from "../../../src/core/crypto/mod.ts";
import {
  BusError,
  createEventBus,
  createNetAdapter,
  type EventBus,
  type NetAdapter,
  type NetAdapterOptions,
} from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryNetwork } from "../../sim/memory_network.ts";
import { assertSettled, numbered, numbersOf, within } from "./bus_kit.ts";

const PSK = new Uint8Array(32).fill(7);
const LEFT = { host: "10.0.0.1", port: 1 };
const RIGHT = { host: "10.0.0.2", port: 2 };
const SIGNAL = new AbortController().signal;
const staticKey = createNoiseKeyPair();

class World {
  readonly clock = new ManualClock();
  readonly network = new MemoryNetwork(this.clock, 1);

  adapter(side: "left" | "right", more: Partial<NetAdapterOptions> = {}): NetAdapter {
    const own = side === "left" ? LEFT : RIGHT;
    return createNetAdapter(
      { clock: this.clock, openSocket: () => this.network.open(own.host, own.port) },
      side === "left"
        ? { role: "initiator", peer: RIGHT, psk: PSK, peerPublicKey: staticKey.publicKey, ...more }
        : { role: "responder", peer: LEFT, psk: PSK, staticKey, ...more },
    );
  }

  bus(adapter: NetAdapter): Promise<EventBus> {
    const { clock } = this;
    return within(clock, createEventBus({ clock, adapter }, { shards: 2, scaling: false }));
  }

  async end(...buses: readonly EventBus[]): Promise<void> {
    for (const bus of buses) {
      await within(this.clock, bus.shutdown());
      assertSettled(bus);
    }
  }
}

Deno.test("what one bus takes the other gives, both ways, in the order of each shard", async () => {
  const world = new World();
  const right = await world.bus(world.adapter("right"));
  const left = await world.bus(world.adapter("left"));
  left.ingestRawBatch(numbered(0, 2_000));
  right.ingestRawBatch(numbered(0, 10));
  await within(world.clock, Promise.all([left.flush(), right.flush()]));
  await world.clock.advance(10);
  for (const [bus, count] of [[right, 2_000], [left, 10]] as const) {
    const { events } = await bus.poll({ limit: 10_000 });
    assert.equal(events.length, count);
    for (const shard of [0, 1]) {
      const numbers = numbersOf(events.filter((event) => event.shard === shard));
      assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
    }
  }
  await world.end(left, right);
});

Deno.test("a packet that is lost is counted as missing, one that comes twice is not given twice", async () => {
  const world = new World();
  const adapter = world.adapter("right");
  const right = await world.bus(adapter);
  const left = await world.bus(world.adapter("left", { isReliable: true }));
  world.network.conditions = { lossRate: 0, duplicateRate: 1, delayMs: 1, jitterMs: 0 };
  left.ingestRawBatch(numbered(0, 100));
  await within(world.clock, left.flush());
  await world.clock.advance(10);
  assert.equal((await right.poll({ limit: 1_000 })).events.length, 100);
  world.network.conditions = { lossRate: 1, duplicateRate: 0, delayMs: 1, jitterMs: 0 };
  left.ingestRawBatch(numbered(0, 100));
  await within(world.clock, left.flush());
  world.network.conditions = { lossRate: 0, duplicateRate: 0, delayMs: 1, jitterMs: 0 };
  left.ingestRawBatch(numbered(100, 200));
  await within(world.clock, left.flush());
  await world.clock.advance(10);
  assert.equal(adapter.counters.missing, 2);
  assert.equal((await right.poll({ limit: 1_000 })).events.length, 200);
  await world.end(left, right);
});

Deno.test("a peer that was restarted is heard again, and an old cursor sees what it sends", async () => {
  const world = new World();
  const right = await world.bus(world.adapter("right"));
  const first = await world.bus(world.adapter("left"));
  first.ingestRawBatch(numbered(0, 50));
  await within(world.clock, first.flush());
  await world.clock.advance(5);
  const { nextId, events } = await right.poll({ limit: 1_000 });
  assert.equal(events.length, 50);
  await world.end(first);
  const second = await world.bus(world.adapter("left"));
  second.ingestRawBatch(numbered(50, 60));
  await within(world.clock, second.flush());
  await world.clock.advance(5);
  const page = await right.poll({ limit: 1_000, fromId: nextId });
  assert.deepEqual(numbersOf(page.events).sort((a, b) => a - b), numbersOfRange(50, 60));
  await world.end(second, right);
});

Deno.test("an initiator calls again when its peer was restarted", async () => {
  const world = new World();
  const right = await world.bus(world.adapter("right"));
  const adapter = world.adapter("left", { sessionTimeoutMs: 1_000, heartbeatMs: 200 });
  const left = await world.bus(adapter);
  await world.end(right);
  await world.clock.advance(1_500);
  assert.equal(await adapter.isHealthy(SIGNAL), false);
  const again = await world.bus(world.adapter("right", { heartbeatMs: 200 }));
  await world.clock.advance(20_000);
  assert.equal(await adapter.isHealthy(SIGNAL), true);
  left.ingestRawBatch(numbered(0, 5));
  await within(world.clock, left.flush());
  await world.clock.advance(5);
  assert.equal((await again.poll({ limit: 10 })).events.length, 5);
  await world.end(left, again);
});

Deno.test("a handshake that is played again does not end the session", async () => {
  const world = new World();
  let handshake: Uint8Array | undefined;
  world.network.filter = (bytes, from) => {
    if (handshake === undefined && from.port === LEFT.port) handshake = bytes.slice();
    return true;
  };
  const right = await world.bus(world.adapter("right"));
  const left = await world.bus(world.adapter("left"));
  await world.clock.advance(10);
  world.network.inject(handshake ?? new Uint8Array(), LEFT, RIGHT);
  await world.clock.advance(10);
  left.ingestRawBatch(numbered(0, 5));
  right.ingestRawBatch(numbered(0, 5));
  await within(world.clock, Promise.all([left.flush(), right.flush()]));
  await world.clock.advance(10);
  assert.equal((await right.poll({ limit: 10 })).events.length, 5);
  assert.equal((await left.poll({ limit: 10 })).events.length, 5);
  await world.end(left, right);
});

Deno.test("without a peer the initiator says so, and the responder's batches may be tried again", async () => {
  const world = new World();
  const lonely = world.adapter("left");
  await assert.rejects(
    within(world.clock, lonely.start()),
    (error) => error instanceof BusError && error.kind === "transient",
  );
  const adapter = world.adapter("right");
  const bus = await world.bus(adapter);
  bus.ingest(1);
  await assert.rejects(
    within(world.clock, bus.flush()),
    (error) => error instanceof BusError && error.isRetryable,
  );
  await world.end(bus);
  await assert.rejects(
    adapter.poll(0, undefined, 1, SIGNAL),
    (error) => error instanceof BusError && error.kind === "fatal",
  );
});

Deno.test("an event too large for a packet is not taken in", async () => {
  const world = new World();
  const bus = await world.bus(world.adapter("right"));
  assert.throws(() => bus.ingestRaw(new Uint8Array(8_105)), /at most 8104/);
  await world.end(bus);
});

Deno.test("a wrong secret, damaged and foreign datagrams change nothing", async () => {
  const world = new World();
  const adapter = world.adapter("right");
  const right = await world.bus(adapter);
  const stranger = world.adapter("left", { psk: new Uint8Array(32) });
  await assert.rejects(within(world.clock, stranger.start()));
  const left = await world.bus(world.adapter("left"));
  world.network.conditions = {
    lossRate: 0,
    duplicateRate: 0,
    delayMs: 1,
    jitterMs: 0,
    corruptRate: 1,
  };
  left.ingestRawBatch(numbered(0, 100));
  await within(world.clock, left.flush());
  await world.clock.advance(10);
  world.network.conditions = { lossRate: 0, duplicateRate: 0, delayMs: 1, jitterMs: 0 };
  world.network.inject(new Uint8Array(500), LEFT, RIGHT);
  await world.clock.advance(10);
  assert.equal((await right.poll({ limit: 10 })).events.length, 0);
  assert.ok(adapter.counters.handshakesRefused >= 3);
  assert.ok(adapter.counters.refused + adapter.counters.malformed >= 3);
  await world.end(left, right);
});

Deno.test("the inbox keeps so many events per shard, and says that others are gone", async () => {
  const world = new World();
  const right = await world.bus(world.adapter("right", { eventsMax: 500 }));
  const left = await world.bus(world.adapter("left"));
  let nextId: string | undefined;
  for (let turn = 0; turn < 20; turn++) {
    left.ingestRawBatch(numbered(turn * 100, turn * 100 + 100));
    await within(world.clock, left.flush());
    await world.clock.advance(5);
    if (turn === 0) nextId = (await right.poll({ limit: 1_000 })).nextId;
  }
  const page = await right.poll({ limit: 10_000, fromId: nextId });
  assert.ok(page.events.length <= 1_000 && page.events.length > 800);
  assert.equal(page.missed.length, 2);
  await world.end(left, right);
});

function numbersOfRange(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
