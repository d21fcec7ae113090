/**
 * A day of eight nodes with small disks: skewed reads, new blobs, nodes that come and go, and nodes that lie
 * (issue 7). What is asserted: nothing that is referred to is ever lost, moves per hour are bounded, no chunk goes
 * back and forth, and everything settles when it is quiet.
 */
import assert from "node:assert/strict";
import {
  type Behaviour,
  busiestHour,
  CHUNK,
  chunkOf,
  FlowWorld,
  HOUR_MS,
  type WorldNode,
} from "./flow_world.ts";

const GIB = 1024 ** 3;
const MINUTE_MS = 60_000;
const PER_HOUR = 120;
const SETTINGS = [
  ["greedy", "on"],
  ["gravity", "on"],
  ["gravity.tick_interval", "1m"],
  ["gravity.chunk_half_life", "10m"],
  ["overflow", "on"],
  ["overflow.tick_interval", "1m"],
  ["overflow.spill_holders_min", "1"],
  ["moves.per_hour_max", String(PER_HOUR)],
  ["cache", "on"],
  ["cache.cap", "128MiB"],
] as const;

/** Nodes that are hostile: they claim all the heat and all the room, and ask for pushes without end. */
function hostileTo(world: FlowWorld, hot: readonly string[]): Behaviour {
  let hour = -1;
  let tags: readonly string[] = [];
  const write = () => [
    "dataforts.blob.storage",
    "dataforts.blob.disk_free_gb=4000000",
    "dataforts.blob.overflow",
    "dataforts.gravity.enabled",
    "dataforts.gravity.scope=mesh",
    ...hot.map((hex) => `heat:blob:${hex}=1.00`),
    // As many as are believed of one node, all as hot as can be, of chunks that nobody has.
    ...Array.from(
      { length: 64 - hot.length },
      (_, i) => `heat:blob:${(i + hour * 64).toString(16).padStart(64, "f")}=1.00`,
    ),
  ];
  return {
    tags: () => {
      const now = Math.floor(world.clock.now() / HOUR_MS);
      if (now !== hour) {
        hour = now;
        tags = write();
      }
      return tags;
    },
    onOffer: () => Promise.resolve({ kind: "accepted" }),
    onHold: () => Promise.resolve({ kind: "proven", proof: new Uint8Array(32) }),
  };
}

interface Day {
  readonly world: FlowWorld;
  /** Chunks that some blob refers to, with their owner. */
  readonly owned: Map<string, WorldNode>;
  writesRefused: number;
  readsFailed: number;
  reads: number;
}

async function runDay(seed: number, isHostile: boolean): Promise<Day> {
  const world = new FlowWorld(seed);
  const { clock, random } = world;
  world.lossRatio = 0.01;
  const capacities = [90, 90, 90, 120, 200, 300].map((chunks) => chunks * CHUNK);
  for (const [i, capacityBytes] of [...capacities, 4 * GIB].entries()) {
    const place = [`region:eu`, `zone:${i % 2 === 0 ? "a" : "b"}`];
    await world.add(BigInt(i + 1), { capacityBytes, settings: SETTINGS, place });
  }
  const day: Day = { world, owned: new Map(), writesRefused: 0, readsFailed: 0, reads: 0 };
  const all: Uint8Array[] = [];
  const write = (node: WorldNode) => {
    const { hash, bytes } = chunkOf(seed * 100_000 + all.length);
    // A store that is full looks first for what nothing needs.
    const isStored = node.store.put(hash, bytes) ||
      (node.store.collect(node.flow.policy) > 0 && node.store.put(hash, bytes));
    if (!isStored) return void (day.writesRefused += 1);
    node.store.refs.set(hash.toHex(), 1);
    day.owned.set(hash.toHex(), node);
    all.push(hash);
  };
  const [first, second, third] = [...world.nodes.values()];
  for (let i = 0; i < 60; i++) for (const node of [first, second, third]) if (node) write(node);
  if (isHostile) {
    const hot = all.slice(0, 40).map((hash) => hash.toHex());
    for (const id of [101n, 102n]) world.hostile.set(id, hostileTo(world, hot));
  }
  let away: WorldNode | undefined;
  const start = clock.now();
  for (let minute = 0; minute < 24 * 60; minute++) {
    const isBusy = minute < 18 * 60;
    const online = [...world.nodes.values()].filter(({ isOnline }) => isOnline);
    if (isBusy) {
      // Three of four reads go to a twentieth of the chunks, another one for each zone.
      for (const node of online) {
        const hash =
          all[Math.floor(random() ** 4 * all.length + Number(node.id % 2n) * 7) % all.length];
        if (hash === undefined || random() < 0.5) continue;
        day.reads += 1;
        if (!await world.read(node, hash)) day.readsFailed += 1;
      }
      if (minute % 12 === 0) {
        const writer = online[Math.floor(random() * 3)];
        if (writer !== undefined) write(writer);
      }
    }
    if (minute % 90 === 45) {
      if (away !== undefined) away.isOnline = true;
      const leaving = online[Math.floor(random() * online.length)];
      away = isBusy ? leaving : undefined;
      if (leaving !== undefined && isBusy) leaving.isOnline = false;
    }
    if (minute === 6 * 60) {
      await world.add(20n, {
        capacityBytes: 8 * GIB,
        settings: SETTINGS,
        place: ["region:eu", "zone:a"],
      });
    }
    if (isHostile) await pester(world, minute);
    if (minute % 10 === 0) {
      for (const { store, flow } of world.nodes.values()) store.collect(flow.policy);
      requireNothingLost(day, `seed ${seed}, minute ${minute}`);
    }
    await clock.advance(start + (minute + 1) * MINUTE_MS - clock.now());
  }
  requireNothingLost(day, `seed ${seed}, at the end`);
  world.stop();
  return day;
}

/** Hostile nodes offer what they do not have, as fast as they can. */
async function pester(world: FlowWorld, minute: number): Promise<void> {
  for (const id of world.hostile.keys()) {
    for (const { flow, isOnline } of world.nodes.values()) {
      if (!isOnline) continue;
      const offers = Array.from({ length: 6 }, (_, i) => {
        const { hash } = chunkOf(9_000_000 + minute * 100 + i);
        return flow.onOffer(id, { hash, sizeBytes: BigInt(CHUNK), senderId: id });
      });
      void Promise.all(offers);
    }
  }
  await Promise.resolve();
}

function requireNothingLost({ world, owned }: Day, when: string): void {
  const nodes = [...world.nodes.values()];
  for (const [hex, owner] of owned) {
    if (owner.store.rows.has(hex)) continue;
    const holders = [...owner.store.spills.get(hex)?.keys() ?? []];
    const isHeld = holders.some((id) => world.nodes.get(id)?.store.rows.has(hex));
    assert.ok(isHeld, `${when}: ${hex.slice(0, 8)} of ${owner.id} is nowhere it should be`);
  }
  for (const { id, store } of nodes) {
    const { usedBytes, capacityBytes } = store.room();
    assert.ok(usedBytes <= capacityBytes, `${when}: the disk of ${id}`);
  }
}

function requireSettled(day: Day, seed: number): void {
  const { world } = day;
  const { clock, moves, nodes } = world;
  const end = clock.now();
  for (const node of nodes.values()) {
    const own = moves.filter((move) => move.node === node.id);
    const arrived = own.filter(({ kind }) => kind === "arrived");
    // What a node pulls and what others push to it are bounded each.
    assert.ok(
      busiestHour(arrived) <= 2 * PER_HOUR,
      `seed ${seed}: ${busiestHour(arrived)} arrived`,
    );
    const dropped = own.filter(({ kind }) => kind === "dropped");
    assert.ok(busiestHour(dropped) <= PER_HOUR, `seed ${seed}: ${busiestHour(dropped)} dropped`);
    const byChunk = Map.groupBy(own, ({ hex }) => hex);
    for (const [hex, list] of byChunk) {
      // Back and forth: it came, or went, again within the rest that every move is followed by.
      for (const [i, { atMs }] of list.entries()) {
        const before = list[i - 1];
        const restMs = node.flow.policy.moves.restMs;
        assert.ok(
          before === undefined || atMs - before.atMs >= restMs,
          `seed ${seed}: ${hex.slice(0, 8)} at ${node.id} moved twice within ${restMs} ms`,
        );
      }
      assert.ok(list.length <= 8, `seed ${seed}: ${hex.slice(0, 8)} moved ${list.length} times`);
    }
    // Announcements: heat every half minute and claims every minute at the most, and none when it is quiet.
    assert.ok(node.announced < 24 * 60 * 3, `seed ${seed}: ${node.announced} announcements`);
  }
  const quiet = moves.filter(({ atMs }) => atMs > end - 2 * HOUR_MS);
  assert.equal(quiet.length, 0, `seed ${seed}: it settled`);
  const isShedding = [...nodes.values()].filter(({ flow }) => flow.shedder.state.isActive);
  assert.deepEqual(isShedding.map(({ id }) => id), [], `seed ${seed}: no disk is too full`);
  assert.ok(moves.length > 100, `seed ${seed}: only ${moves.length} moves`);
}

Deno.test("a day of eight nodes settles, and nothing that is referred to is lost", async () => {
  for (const seed of [1, 2]) {
    const day = await runDay(seed, false);
    requireSettled(day, seed);
    assert.equal(day.writesRefused, 0, `seed ${seed}: a full disk did not stop writes`);
    assert.ok(day.readsFailed < day.reads / 50, `seed ${seed}: ${day.readsFailed} of ${day.reads}`);
  }
});

Deno.test("nodes that lie about heat and room, and push without end, cost little", async () => {
  const seed = 4;
  const day = await runDay(seed, true);
  requireSettled(day, seed);
  assert.equal(day.writesRefused, 0, "a full disk did not stop writes");
  const { world } = day;
  for (const id of world.hostile.keys()) assert.equal(world.fetchedFrom.get(id) ?? 0, 0);
  for (const { flow } of world.nodes.values()) {
    const { offers, failed, busy } = flow.arrivals.counters;
    assert.ok(offers > 10_000, "they did push");
    // Each failure doubles the pause: some ten tries a day and hostile node, each of no bytes.
    assert.ok(
      failed < 400,
      `${failed} offers of ${offers} were followed, ${busy} not for want of time`,
    );
    assert.ok(flow.pulls.counters.failed < 24 * PER_HOUR, `${flow.pulls.counters.failed} pulls`);
  }
});
