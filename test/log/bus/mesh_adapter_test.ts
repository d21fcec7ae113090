import assert from "node:assert/strict";
import {
  type BusAdapter,
  BusError,
  type BusOptions,
  createEventBus,
  createLogAdapter,
  createMemoryAdapter,
  createMeshAdapter,
  type EventBus,
  type MeshAdapter,
  type MeshAdapterOptions,
  openRedex,
} from "../../../src/log/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import { type KitNode, MeshKit } from "../../sim/mesh_kit.ts";
import { assertSettled, numbered, numbersOf, within } from "./bus_kit.ts";

interface Member {
  readonly bus: EventBus;
  readonly adapter: MeshAdapter;
}

async function join(
  kit: MeshKit,
  node: KitNode,
  options: MeshAdapterOptions,
  more: { readonly inner?: BusAdapter; readonly bus?: BusOptions } = {},
): Promise<Member> {
  const inner = more.inner ?? createMemoryAdapter();
  const adapter = createMeshAdapter({ link: node.transport, inner }, options);
  const bus = await within(
    kit.clock,
    createEventBus({ clock: kit.clock, adapter }, {
      shards: 2,
      scaling: false,
      adapterRetries: 5,
      adapterTimeoutMs: 2_000,
      ...more.bus,
    }),
  );
  return { bus, adapter };
}

async function end(kit: MeshKit, ...members: readonly Member[]): Promise<void> {
  for (const { bus } of members) {
    await within(kit.clock, bus.shutdown());
    assertSettled(bus);
  }
}

async function pair(kit: MeshKit): Promise<readonly [KitNode, KitNode]> {
  const [left, right] = [kit.node(1), kit.node(2)];
  await kit.connect(left, right);
  return [left, right];
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

Deno.test("what one node's bus dispatches is kept and polled at another's, in order and with its times", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const receiver = await join(kit, right, { from: [left.nodeId] });
  const sender = await join(kit, left, { to: right.nodeId });
  sender.bus.ingestRawBatch(numbered(0, 5_000));
  await within(kit.clock, sender.bus.flush());
  const { events } = await receiver.bus.poll({ limit: 10_000 });
  assert.deepEqual(sorted(numbersOf(events)), range(0, 5_000));
  for (const shard of [0, 1]) {
    const own = events.filter((event) => event.shard === shard);
    assert.deepEqual(numbersOf(own), sorted(numbersOf(own)));
    assert.ok(
      own.every(({ insertionTs }, i) => i === 0 || insertionTs > (own[i - 1]?.insertionTs ?? 0n)),
    );
  }
  assert.equal((await sender.bus.poll({ limit: 10 })).events.length, 0);
  await end(kit, sender, receiver);
});

Deno.test("two buses feed each other", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const one = await join(kit, left, { to: right.nodeId, from: [right.nodeId] });
  const two = await join(kit, right, { to: left.nodeId, from: [left.nodeId] });
  one.bus.ingestRawBatch(numbered(0, 300));
  two.bus.ingestRawBatch(numbered(1_000, 1_300));
  await within(kit.clock, Promise.all([one.bus.flush(), two.bus.flush()]));
  assert.deepEqual(sorted(numbersOf((await two.bus.poll({ limit: 1_000 })).events)), range(0, 300));
  assert.deepEqual(
    sorted(numbersOf((await one.bus.poll({ limit: 1_000 })).events)),
    range(1_000, 1_300),
  );
  await end(kit, one, two);
});

Deno.test("events of any size cross, over a network that loses, repeats and reorders", async () => {
  using kit = new MeshKit(3);
  const [left, right] = await pair(kit);
  const receiver = await join(kit, right, { from: [left.nodeId] });
  const sender = await join(kit, left, { to: right.nodeId }, { bus: { adapterTimeoutMs: 60_000 } });
  kit.network.conditions = { lossRate: 0.05, duplicateRate: 0.05, delayMs: 1, jitterMs: 3 };
  const sizes = [0, 1, 7_900, 8_104, 100_000, 1_500_000];
  const events = sizes.map((size) => new Uint8Array(size).fill(size & 0xff));
  assert.equal(sender.bus.ingestRawBatch(events), sizes.length);
  await within(kit.clock, sender.bus.flush(), 300_000).catch(() => {});
  assert.ok(await kit.clock.advanceUntil(() => sender.bus.stats().dispatched === 6n, 300_000));
  const page = await receiver.bus.poll({ limit: 100 });
  const lengths = page.events.map(({ raw }) => raw.length);
  assert.deepEqual(sorted(lengths), sizes);
  assert.ok(page.events.every(({ raw }) => raw.every((byte) => byte === (raw.length & 0xff))));
  assert.equal(sender.bus.stats().dropped, 0n);
  kit.network.conditions = { lossRate: 0, duplicateRate: 0, delayMs: 1, jitterMs: 0 };
  await end(kit, sender, receiver);
});

Deno.test("a batch whose answer was lost with the session is not kept twice", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const memory = createMemoryAdapter();
  let isSlow = true;
  const inner: BusAdapter = {
    ...memory,
    // Kept, but the answer comes when the sender has given up waiting.
    write: async (batch, signal) => {
      await memory.write(batch, signal);
      if (isSlow) await new Promise<void>((resolve) => kit.clock.after(3_000, resolve));
      isSlow = false;
    },
  };
  const receiver = await join(kit, right, { from: [left.nodeId] }, { inner });
  const sender = await join(kit, left, { to: right.nodeId });
  sender.bus.pushWithHash(numbered(1, 2)[0] ?? new Uint8Array(), 0n);
  await within(kit.clock, sender.bus.flush());
  assert.equal((await receiver.bus.poll({ limit: 10 })).events.length, 1);
  assert.equal(sender.bus.stats().dispatched, 1n);
  assert.equal(receiver.adapter.counters.repeats, 1);
  await end(kit, sender, receiver);
});

Deno.test("what the receiver cannot keep is an error of the sender's, tried again if that may help", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const memory = createMemoryAdapter();
  const failures: ("transient" | "fatal")[] = ["transient", "fatal"];
  const inner: BusAdapter = {
    ...memory,
    write: (batch, signal) => {
      const kind = failures.shift();
      if (kind === undefined) return memory.write(batch, signal);
      return Promise.reject(new BusError(kind, "Cannot keep: told so"));
    },
  };
  const receiver = await join(kit, right, { from: [left.nodeId] }, { inner });
  const sender = await join(kit, left, { to: right.nodeId }, { bus: { shards: 1 } });
  sender.bus.ingest(1);
  await assert.rejects(within(kit.clock, sender.bus.flush()), /told so/);
  sender.bus.ingest(2);
  await within(kit.clock, sender.bus.flush());
  assert.equal((await receiver.bus.poll({ limit: 10 })).events.length, 1);
  assert.equal(receiver.adapter.counters.gaps, 0);
  await end(kit, sender, receiver);
});

Deno.test("a receiver that comes late gets what the sender still tries to hand over", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const sender = await join(kit, left, { to: right.nodeId });
  sender.bus.ingestRawBatch(numbered(0, 50));
  await kit.clock.advance(3_000);
  assert.equal(sender.bus.stats().dispatched, 0n);
  const receiver = await join(kit, right, { from: [left.nodeId] });
  await kit.clock.advance(10_000);
  assert.equal(sender.bus.stats().dispatched, 50n);
  assert.equal((await receiver.bus.poll({ limit: 100 })).events.length, 50);
  await end(kit, sender, receiver);
});

Deno.test("a bus that goes on after its adapter was stopped and made anew is heard", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  let receiver = await join(kit, right, { from: [left.nodeId] });
  for (let life = 0; life < 3; life++) {
    const sender = await join(kit, left, { to: right.nodeId });
    sender.bus.ingestRawBatch(numbered(life * 10, life * 10 + 10));
    await within(kit.clock, sender.bus.flush());
    await end(kit, sender);
  }
  assert.deepEqual(
    sorted(numbersOf((await receiver.bus.poll({ limit: 100 })).events)),
    range(0, 30),
  );
  const sender = await join(kit, left, { to: right.nodeId });
  for (let life = 0; life < 3; life++) {
    await end(kit, receiver);
    receiver = await join(kit, right, { from: [left.nodeId] });
    sender.bus.ingestRawBatch(numbered(0, 10));
    assert.ok(
      await kit.clock.advanceUntil(
        () => sender.bus.stats().dispatched === BigInt(life * 10 + 10),
        60_000,
      ),
    );
    assert.equal((await receiver.bus.poll({ limit: 100 })).events.length, 10);
  }
  await end(kit, sender, receiver);
});

Deno.test("buses of other names, and nodes that are not taken from, are not heard", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const receiver = await join(kit, right, { from: [77n] });
  const other = await join(kit, left, { to: right.nodeId, name: "other" }, {
    bus: { adapterRetries: 0 },
  });
  const sender = await join(kit, left, { to: right.nodeId }, { bus: { adapterRetries: 0 } });
  other.bus.ingest(1);
  sender.bus.ingest(1);
  await kit.clock.advance(5_000);
  assert.equal((await receiver.bus.poll({ limit: 10 })).events.length, 0);
  assert.deepEqual([other.bus.stats().dropped, sender.bus.stats().dropped], [1n, 1n]);
  await end(kit, other, sender, receiver);
});

Deno.test("without a session a batch may be tried again, and the adapter says that it is not well", async () => {
  using kit = new MeshKit();
  const [left, right] = [kit.node(1), kit.node(2)];
  const receiver = await join(kit, right, { from: [left.nodeId] });
  const sender = await join(kit, left, { to: right.nodeId });
  sender.bus.ingest(1);
  await kit.clock.advance(300);
  assert.equal(await sender.adapter.isHealthy(new AbortController().signal), false);
  await kit.connect(left, right);
  await kit.clock.advance(8_000);
  assert.equal(await sender.adapter.isHealthy(new AbortController().signal), true);
  assert.equal((await receiver.bus.poll({ limit: 10 })).events.length, 1);
  await end(kit, sender, receiver);
});

Deno.test("a bus without a target keeps its own events; this node is neither target nor source", async () => {
  using kit = new MeshKit();
  const node = kit.node(1);
  const alone = await join(kit, node, {});
  alone.bus.ingest(1);
  await within(kit.clock, alone.bus.flush());
  assert.equal((await alone.bus.poll({ limit: 10 })).events.length, 1);
  await end(kit, alone);
  const deps = { link: node.transport, inner: createMemoryAdapter() };
  assert.throws(() => createMeshAdapter(deps, { to: node.nodeId }), BusError);
  assert.throws(() => createMeshAdapter(deps, { from: [node.nodeId] }), BusError);
});

Deno.test("a node that may not feed is told so, and it is counted", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const receiver = await join(kit, right, { from: [77n] });
  const sender = await join(kit, left, { to: right.nodeId }, { bus: { shards: 1 } });
  for (const [n, batches] of [[1, 1], [2, 2]] as const) {
    sender.bus.ingest(n);
    await assert.rejects(
      within(kit.clock, sender.bus.flush()),
      (error) =>
        error instanceof BusError && error.kind === "not_allowed" &&
        (error.next ?? "").includes("--bus-accept"),
    );
    assert.equal(receiver.adapter.counters.notAllowed, batches);
  }
  assert.equal((await receiver.bus.poll({ limit: 10 })).events.length, 0);
  await end(kit, sender, receiver);
});

Deno.test("a peer that only says who it is does not feed in another's name", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const inner = createMemoryAdapter();
  const adapter = createMeshAdapter({ link: right.transport, inner, isProven: () => false }, {
    from: [left.nodeId],
  });
  await adapter.start();
  const sender = await join(kit, left, { to: right.nodeId }, { bus: { shards: 1 } });
  sender.bus.ingest(1);
  await assert.rejects(within(kit.clock, sender.bus.flush()), /not proved/);
  await adapter.stop();
  await end(kit, sender);
});

Deno.test("any number of nodes feed one that takes from any", async () => {
  using kit = new MeshKit();
  const right = kit.node(1);
  const receiver = await join(kit, right, { from: "any" });
  const senders: Member[] = [];
  for (const number of [2, 3, 4]) {
    const node = kit.node(number);
    await kit.connect(node, right);
    senders.push(await join(kit, node, { to: right.nodeId }));
  }
  senders.forEach(({ bus }, i) => bus.ingestRawBatch(numbered(i * 100, i * 100 + 100)));
  await within(kit.clock, Promise.all(senders.map(({ bus }) => bus.flush())));
  const { events } = await receiver.bus.poll({ limit: 1_000 });
  assert.deepEqual(sorted(numbersOf(events)), range(0, 300));
  assert.deepEqual(receiver.adapter.sources().map((source) => source.events), [100, 100, 100]);
  await end(kit, ...senders, receiver);
});

Deno.test("a node without a session is reached for", async () => {
  using kit = new MeshKit();
  const [left, right] = [kit.node(1), kit.node(2)];
  const receiver = await join(kit, right, { from: [left.nodeId] });
  const reached: bigint[] = [];
  const adapter = createMeshAdapter({
    link: left.transport,
    inner: createMemoryAdapter(),
    reach: async (peer) => {
      reached.push(peer);
      await left.transport.dial({
        nodeId: right.nodeId,
        noisePublicKey: right.publicKey,
        addresses: [right.address],
        form: "routed",
      }, 2_000);
    },
  }, { to: right.nodeId });
  const bus = await within(kit.clock, createEventBus({ clock: kit.clock, adapter }, { shards: 1 }));
  bus.ingest(1);
  await within(kit.clock, bus.flush());
  assert.deepEqual(reached, [right.nodeId]);
  await end(kit, { bus, adapter }, receiver);
});

Deno.test("a receiver over the log that is killed between keeping a batch and its answer keeps it once", async () => {
  using kit = new MeshKit();
  const [left, right] = await pair(kit);
  const disk = new SimDisk();
  const open = async (isDeaf: boolean) => {
    const redex = openRedex({ clock: kit.clock, disk }, { folder: "data/log" });
    const log = createLogAdapter(redex);
    const inner: BusAdapter = !isDeaf ? log : withWriteFed(log, async (keep) => {
      await keep();
      await new Promise(() => {});
    });
    const receiver = await join(kit, right, { from: [left.nodeId] }, { inner });
    return { ...receiver, redex };
  };
  const deaf = await open(true);
  const sender = await join(kit, left, { to: right.nodeId }, {
    bus: { shards: 1, adapterTimeoutMs: 1_000, adapterRetries: 50 },
  });
  sender.bus.ingestRawBatch(numbered(0, 10));
  const isKept = () => deaf.redex.get("bus/default/0")?.nextSeq === 10n;
  assert.ok(await kit.clock.advanceUntil(isKept, 10_000));
  // The process ends, and what it wrote is in its files.
  deaf.bus.abandon();
  await deaf.redex.close();
  const again = await open(false);
  assert.ok(await kit.clock.advanceUntil(() => sender.bus.stats().dispatched === 10n, 60_000));
  sender.bus.ingestRawBatch(numbered(10, 20));
  await within(kit.clock, sender.bus.flush());
  assert.deepEqual(numbersOf((await again.bus.poll({ limit: 100 })).events), range(0, 20));
  assert.equal(again.adapter.counters.repeats, 10);
  await end(kit, sender, again);
  await again.redex.close();
});

Deno.test("a batch that was noted and never kept is taken when it comes again", async () => {
  using kit = new MeshKit();
  const disk = new SimDisk();
  const signal = new AbortController().signal;
  const batch = (from: number) => ({
    shard: 3,
    events: numbered(from, from + 10).map((raw) => ({ raw, insertionTs: BigInt(from) })),
    sequenceStart: BigInt(from),
    producerNonce: 5n,
  });
  const redex = openRedex({ clock: kit.clock, disk }, { folder: "data/log" });
  const adapter = createLogAdapter(redex);
  await adapter.start();
  await adapter.writeFed?.(batch(0), 1n, signal);
  await adapter.writeFed?.(batch(10), 1n, signal);
  await adapter.writeFed?.(batch(0), 2n, signal);
  const mark = (source: bigint, next: bigint) => ({ source, producerNonce: 5n, shard: 3, next });
  assert.deepEqual(await adapter.fedMarks?.(signal), [mark(1n, 20n), mark(2n, 10n)]);
  // The note of a batch that a crash kept from the channel, and that others took the place of.
  const notes = await redex.open("bus/default/feeds", { isPersistent: true });
  const [last] = notes.readRange(notes.nextSeq - 1n, notes.nextSeq).map(({ payload }) => payload);
  const note = new Uint8Array(last ?? []);
  new DataView(note.buffer).setBigUint64(19, 20n, true);
  new DataView(note.buffer).setBigUint64(39, 1234n, true);
  notes.append(note);
  assert.deepEqual(await adapter.fedMarks?.(signal), [mark(1n, 20n), mark(2n, 10n)]);
  new DataView(note.buffer).setBigUint64(27, 30n, true);
  notes.append(note);
  assert.deepEqual(await adapter.fedMarks?.(signal), [mark(1n, 20n), mark(2n, 10n)]);
  // What is none is passed over.
  notes.append(new Uint8Array(47));
  notes.append(new Uint8Array(3));
  assert.equal((await adapter.fedMarks?.(signal))?.length, 2);
  await adapter.stop();
  await redex.close();
});

/** The adapter, with something around what it does with batches of other nodes. */
function withWriteFed(
  log: BusAdapter,
  around: (keep: () => Promise<void>) => Promise<void>,
): BusAdapter {
  return new Proxy(log, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name === "writeFed") {
        return (...args: Parameters<NonNullable<BusAdapter["writeFed"]>>) =>
          around(async () => await target.writeFed?.(...args));
      }
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

for (let seed = 1; seed <= Number(Deno.env.get("NET_BUS_SEEDS") ?? 3); seed++) {
  Deno.test(`over a network that comes and goes each event arrives once, seed ${seed}`, async () => {
    using kit = new MeshKit(seed);
    const [left, right] = await pair(kit);
    const receiver = await join(kit, right, { from: [left.nodeId] });
    const sender = await join(kit, left, { to: right.nodeId }, {
      bus: { adapterRetries: 1_000, adapterTimeoutMs: 1_000, backpressure: "fail_producer" },
    });
    const random = seededRandom(seed);
    let next = 0;
    for (let step = 0; step < 20; step++) {
      const lossRate = random() < 0.3 ? 1 : random() * 0.2;
      kit.network.conditions = { lossRate, duplicateRate: 0.1, delayMs: 1, jitterMs: 4 };
      next += sender.bus.ingestRawBatch(numbered(next, next + Math.floor(random() * 400)));
      await kit.clock.advance(random() * 3_000);
    }
    kit.network.conditions = { lossRate: 0, duplicateRate: 0, delayMs: 1, jitterMs: 0 };
    const isDone = () => sender.bus.stats().dispatched === BigInt(next);
    assert.ok(
      await kit.clock.advanceUntil(isDone, 120_000),
      `${sender.bus.stats().dispatched} of ${next}`,
    );
    const { events } = await receiver.bus.poll({ limit: 100_000 });
    assert.deepEqual(sorted(numbersOf(events)), range(0, next));
    assert.equal(receiver.adapter.counters.gaps, 0);
    await end(kit, sender, receiver);
  });
}
