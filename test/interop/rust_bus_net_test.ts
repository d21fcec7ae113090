/** Our bus and the live core's, over its point-to-point adapter, in both directions and both roles. */
import assert from "node:assert/strict";
import { fromHex, systemClock } from "../../src/base/mod.ts";
import { createNoiseKeyPair } from "../../src/core/crypto/mod.ts";
import { openBestUdpSocket } from "../../src/core/transport/mod.ts";
import {
  compileFilter,
  createEventBus,
  createNetAdapter,
  type EventBus,
  type NetAdapterOptions,
  parseFilter,
  type StoredEvent,
  subscribe,
} from "../../src/log/mod.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { isRustPlatform } from "./rust_addon.ts";
import type { RustBusNet, RustBusOperations } from "./rust_bus_net_process.ts";

const PSK = "ab".repeat(32);
const FAST = { heartbeatIntervalMs: 200, sessionTimeoutMs: 2_000 };
const TEXT = new TextDecoder();

type Peer = LineProcess<RustBusOperations>;

function startPeer(): Peer {
  return startLineProcess(new URL("rust_bus_net_process.ts", import.meta.url), {
    name: "rust bus",
  });
}

/** Two ports that were free a moment ago. */
function freePorts(): readonly [number, number] {
  const sockets = [0, 0].map(() =>
    Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 })
  );
  const [ours = 0, theirs = 0] = sockets.map((socket) => (socket.addr as Deno.NetAddr).port);
  for (const socket of sockets) socket.close();
  return [ours, theirs];
}

interface Pair {
  readonly bus: EventBus;
  readonly peer: Peer;
  /** Makes the core's bus anew, in another process. */
  readonly again: (peer: Peer) => Promise<null>;
}

/** A bus of ours and one of the core's that have met. */
async function meet(peer: Peer, ourRole: "initiator" | "responder"): Promise<Pair> {
  const [ours, theirs] = freePorts();
  const net = { bindAddr: `127.0.0.1:${theirs}`, peerAddr: `127.0.0.1:${ours}`, psk: PSK, ...FAST };
  const options = {
    role: ourRole,
    peer: { host: "127.0.0.1", port: theirs },
    psk: fromHex(PSK) as Uint8Array,
    isReliable: true,
    heartbeatMs: FAST.heartbeatIntervalMs,
    sessionTimeoutMs: FAST.sessionTimeoutMs,
  } as const;
  const create = (more: Partial<NetAdapterOptions>) =>
    createEventBus({
      clock: systemClock,
      adapter: createNetAdapter({
        clock: systemClock,
        openSocket: () => openBestUdpSocket({ host: "127.0.0.1", port: ours }),
      }, { ...options, ...more }),
    }, { shards: 2, scaling: false });
  const createRust = (peer: Peer, more: Partial<RustBusNet>) =>
    peer.call("create", { shards: 2, net: { ...net, reliability: "full", ...more } as RustBusNet });
  if (ourRole === "initiator") {
    const keys = await peer.call("keys", null);
    const again = (peer: Peer) => createRust(peer, { role: "responder", ...keys });
    const created = again(peer);
    const bus = await create({ peerPublicKey: fromHex(keys.publicKey) });
    await created;
    return { bus, peer, again };
  }
  const staticKey = createNoiseKeyPair();
  const bus = await create({ staticKey });
  const peerPublicKey = staticKey.publicKey.toHex();
  const again = (peer: Peer) => createRust(peer, { role: "initiator", peerPublicKey });
  await again(peer);
  return { bus, peer, again };
}

function events(count: number): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, n) => new TextEncoder().encode(`{"n":${n},"t":"${n % 7}"}`),
  );
}

/** What a subscription gets until it has so many. */
async function take(bus: EventBus, count: number): Promise<StoredEvent[]> {
  const got: StoredEvent[] = [];
  for await (const event of subscribe(bus, { signal: AbortSignal.timeout(20_000) })) {
    got.push(event);
    if (got.length === count) break;
  }
  return got;
}

/** What the core has, polled until it has so many. */
async function takeRust(
  peer: Peer,
  count: number,
  filter?: string,
  turns = 200,
): Promise<Uint8Array[]> {
  const got: Uint8Array[] = [];
  for (let turn = 0; turn < turns && got.length < count; turn++) {
    const page = await peer.call("poll", { limit: 1_000, filter });
    got.push(...page.events.map(({ bytes }) => bytes));
    if (page.events.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return got;
}

const sorted = (list: readonly Uint8Array[]) => list.map((raw) => TEXT.decode(raw)).sort();

/** Events at the edges of JSON, and filters at the edges of equality. */
const EDGES = [
  ...[
    "-0",
    "0",
    "0.0",
    "1e2",
    "100",
    "1e999",
    "1E400",
    '{"n":-0.0}',
    " 5 ",
    "\ufeff1",
    '"\\ud800"',
  ],
  ...["18446744073709551615", "18446744073709551616", "-9223372036854775809"],
  ...["123456789012345678901234567890", '"a\\u00e9"', '"a\\/b"', '{"+1":3}', '{"a":1,"a":2}'],
  ...['{"a":{"__proto__":1}}', '{"a":[0,{"b":2}]}', '{"a":{"":{"b":2}}}', "not json", ""],
  ...[127, 128].map((depth) => "[".repeat(depth) + "]".repeat(depth)),
];
const EDGE_FILTERS = [
  ...["0", "-0", "0.0", "100", "100.0", "5", "1.2345678901234568e29", '"aé"', '"a/b"'],
  ...["18446744073709551615", "18446744073709551616", "18446744073709551616.0"],
].map((value) => `{"path":"","value":${value}}`).concat([
  '{"$not":{"path":"zz","value":1}}',
  '{"path":"a","value":2}',
  '{"path":"a.+1.b","value":2}',
  '{"path":"a..b","value":2}',
  '{"path":"+1","value":3}',
  '{"path":"n","value":0.0}',
  '{"$and":1,"path":"a","value":2}',
]);

Deno.test({
  name: "our filters and the core's pass the same events, also at the edges of JSON",
  ignore: !isRustPlatform(),
  fn: async () => {
    await using peer = startPeer();
    const { bus } = await meet(peer, "initiator");
    const events = EDGES.map((text) => new TextEncoder().encode(text));
    for (const filter of EDGE_FILTERS) {
      bus.ingestRawBatch(events);
      await bus.flush();
      const isWanted = compileFilter(parseFilter(filter));
      const ours = events.filter(isWanted);
      assert.deepEqual(sorted(await takeRust(peer, ours.length, filter)), sorted(ours), filter);
      // Nothing more comes, and nothing is left for the next filter.
      assert.deepEqual(await takeRust(peer, 1, filter, 3), [], filter);
    }
    await peer.call("shutdown", null);
    await bus.shutdown();
  },
});

for (const role of ["initiator", "responder"] as const) {
  Deno.test({
    name: `events cross between our bus and the core's, ours as ${role}`,
    ignore: !isRustPlatform(),
    fn: async () => {
      await using peer = startPeer();
      const { bus } = await meet(peer, role);
      const sent = events(3_000);
      assert.equal(bus.ingestRawBatch(sent), 3_000);
      await bus.flush();
      assert.deepEqual(sorted(await takeRust(peer, 3_000)), sorted(sent));

      assert.equal(await peer.call("ingest", { events: sent }), 3_000);
      await peer.call("flush", null);
      const got = await take(bus, 3_000);
      assert.deepEqual(sorted(got.map(({ raw }) => raw)), sorted(sent));
      assert.match(got[0]?.id ?? "", /^0:0$/);
      assert.deepEqual([...new Set(got.map(({ shard }) => shard))].sort(), [0, 1]);
      // Both choose shards by the same hash: each event is in the one we would have chosen.
      assert.ok(got.every(({ raw, shard }) => bus.ingestRaw(raw).shard === shard));

      // Filters and cursors of both agree on the same events.
      const filter = '{"path":"t","value":"3"}';
      await bus.flush();
      const ours = await bus.poll({ limit: 10_000, filter: parseFilter(filter) });
      const theirs = await takeRust(peer, ours.events.length, filter);
      assert.deepEqual(sorted(theirs), sorted(ours.events.map(({ raw }) => raw)));

      // Silence longer than the session's timeout is bridged by heartbeats.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      bus.ingest({ late: true });
      await bus.flush();
      assert.deepEqual(sorted(await takeRust(peer, 1)), ['{"late":true}']);
      await peer.call("shutdown", null);
      await bus.shutdown();
      const { ingested, dispatched, dropped } = bus.stats();
      assert.deepEqual([ingested, dropped], [dispatched, 0n]);
    },
  });
}

for (const role of ["initiator", "responder"] as const) {
  Deno.test({
    name: `a core that was killed and started again is heard again, ours as ${role}`,
    ignore: !isRustPlatform(),
    fn: async () => {
      await using first = startPeer();
      const { bus, again } = await meet(first, role);
      await first.call("ingest", { events: events(20) });
      await first.call("flush", null);
      assert.equal((await take(bus, 20)).length, 20);
      const { nextId } = await bus.poll({ limit: 100 });
      first.kill();
      await using second = startPeer();
      await again(second);
      await second.call("ingest", { events: events(20) });
      await second.call("flush", null);
      const got: StoredEvent[] = [];
      const signal = AbortSignal.timeout(20_000);
      for await (const event of subscribe(bus, { fromId: nextId, signal })) {
        got.push(event);
        if (got.length === 20) break;
      }
      assert.deepEqual(sorted(got.map(({ raw }) => raw)), sorted(events(20)));
      bus.ingestRawBatch(events(30));
      await bus.flush();
      assert.equal((await takeRust(second, 30)).length, 30);
      await second.call("shutdown", null);
      await bus.shutdown();
    },
  });
}
