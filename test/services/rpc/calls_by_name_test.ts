/** Calls by name, and typed services, between whole nodes on a simulated network. */
import assert from "node:assert/strict";
import * as v from "valibot";
import {
  clientStream,
  createTypedClient,
  defineError,
  defineService,
  duplex,
  type RpcObserverEvent,
  serverStream,
  serveTyped,
  unary,
} from "../../../src/rpc/mod.ts";
import { RpcKit } from "./rpc_kit.ts";

const EMPTY = new Uint8Array(0);

/** A caller and two nodes that serve the same, which it knows of. */
async function threeNodes(kit: RpcKit) {
  const [caller, first, second] = [await kit.node(1), await kit.node(2), await kit.node(3)];
  await kit.connect(caller, first);
  await kit.connect(caller, second);
  return { caller: caller.rpc, servers: [first, second] };
}

Deno.test("call() by name goes round the nodes that serve it", async () => {
  using kit = new RpcKit();
  const { caller, servers } = await threeNodes(kit);
  const counts = [0, 0];
  servers.forEach(({ rpc }, index) =>
    rpc.serve("count", () => {
      counts[index] = (counts[index] ?? 0) + 1;
      return EMPTY;
    })
  );
  await kit.clock.advance(2_000);
  assert.deepEqual(
    caller.findServiceNodes("count"),
    servers.map(({ node }) => node.nodeId).sort((a, b) => a < b ? -1 : 1),
  );
  for (let calls = 0; calls < 6; calls++) await kit.settled(caller.call("count", EMPTY));
  assert.deepEqual(counts, [3, 3]);
});

Deno.test("call() by name is taken by the next node when the first is full (promise N2)", async () => {
  using kit = new RpcKit();
  const { caller, servers } = await threeNodes(kit);
  const started: bigint[] = [];
  const ends: (() => void)[] = [];
  for (const { rpc, node } of servers) {
    rpc.serve("busy", () => {
      started.push(node.nodeId);
      return new Promise((resolve) => ends.push(() => resolve(EMPTY)));
    }, { runningMax: 1 });
  }
  await kit.clock.advance(2_000);
  const [first] = caller.findServiceNodes("busy");
  const holding = caller.call("busy", EMPTY, { target: first });
  await kit.clock.advance(500);
  // The turn of the first node: it refuses, and the second runs it.
  const moved = caller.call("busy", EMPTY);
  await kit.clock.advance(500);
  assert.deepEqual(started, caller.findServiceNodes("busy"));
  const refused = await kit.settled(caller.call("busy", EMPTY).catch((error) => error));
  assert.equal(refused.kind, "backpressure");
  assert.ok(refused.retryAfterMs >= 0);
  for (const end of ends) end();
  assert.equal((await kit.settled(Promise.all([holding, moved]))).length, 2);
  assert.equal(started.length, 2);
});

Deno.test("meters of a service are kept while it is served, and evicted when it never was called", async () => {
  using kit = new RpcKit();
  const { servers } = await threeNodes(kit);
  const [server] = servers;
  assert.ok(server !== undefined);
  const handle = server.rpc.serve("quiet", () => EMPTY);
  const names = () => server.rpc.meters.snapshot().services.map(({ service }) => service);
  assert.ok(names().includes("quiet"));
  await kit.settled(handle.close());
  assert.equal(names().includes("quiet"), false);
});

Deno.test("observers of both sides hear of one call (promise N3)", async () => {
  using kit = new RpcKit();
  const { caller, servers } = await threeNodes(kit);
  const [server] = servers;
  assert.ok(server !== undefined);
  const heard: RpcObserverEvent[] = [];
  caller.meters.observe((event) => void heard.push(event));
  server.rpc.meters.observe((event) => void heard.push(event));
  server.rpc.serve("echo", (body) => body);
  await kit.settled(caller.call("echo", new Uint8Array(5), { target: server.node.nodeId }));
  await kit.clock.advance(100);
  const told = heard.map((event) => [
    event.direction,
    event.callee === server.node.nodeId,
    event.method,
    event.status.kind,
    event.request_bytes,
    event.response_bytes,
  ]);
  told.sort();
  assert.deepEqual(told, [
    ["inbound", true, "echo", "ok", 5, 5],
    ["outbound", true, "echo", "ok", 5, 5],
  ]);
});

const Full = defineError("full", 0x8100, v.object({ limit: v.number() }));
const Shop = defineService("acme.shop", {
  price: unary(v.object({ item: v.string() }), v.number()),
  watch: serverStream(v.number(), v.number()),
  total: clientStream(v.number(), v.number()),
  shout: duplex(v.string(), v.string()),
}, { errors: [Full] });

Deno.test("typed services pass between nodes in all four shapes, their errors as well", async () => {
  using kit = new RpcKit();
  const { caller, servers } = await threeNodes(kit);
  const [server] = servers;
  assert.ok(server !== undefined);
  serveTyped(server.rpc, Shop, {
    price: ({ item }) => {
      if (item === "") throw Full.create({ limit: 3 });
      return item.length;
    },
    watch: function* (count) {
      for (let n = 0; n < count; n++) yield n;
      throw Full.create({ limit: count });
    },
    total: async (items) => {
      let sum = 0;
      for await (const item of items) sum += item;
      return sum;
    },
    shout: async function* (words) {
      for await (const word of words) yield word.toUpperCase();
    },
  });
  const shop = createTypedClient(Shop, caller, { target: server.node.nodeId });
  assert.equal(await kit.settled(shop.price({ item: "pear" })), 4);
  const refused = await kit.settled(shop.price({ item: "" }).catch((error: unknown) => error));
  assert.ok(Full.is(refused) && refused.data.limit === 3);

  const watched: number[] = [];
  const ended = await kit.settled(
    (async () => {
      for await (const n of await shop.watch(3)) watched.push(n);
    })().catch((error: unknown) => error),
  );
  assert.deepEqual(watched, [0, 1, 2]);
  assert.ok(Full.is(ended) && ended.data.limit === 3);

  const total = await kit.settled((async () => {
    const upload = await shop.total();
    for (let n = 1; n <= 100; n++) await upload.send(n);
    return await upload.finish(1000);
  })());
  assert.equal(total, 6050);

  const shouted = await kit.settled((async () => {
    const { requests, responses } = await shop.shout();
    await requests.send("a");
    await requests.finish("b");
    return await Array.fromAsync(responses);
  })());
  assert.deepEqual(shouted, ["A", "B"]);
});
