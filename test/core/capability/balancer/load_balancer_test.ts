import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import {
  type BalancedRequest,
  BALANCING_STRATEGIES,
  CIRCUIT_RECOVERY_MS,
  type EndpointHealth,
  ENDPOINTS_MAX,
  isOverloaded,
  type Lease,
  LoadBalancer,
  type LoadBalancerOptions,
  loadScore,
  ringId,
} from "../../../../src/core/capability/mod.ts";

const IDLE = { cpu: 0, memory: 0, connections: 0, responseMs: 0, errors: 0, queued: 0 };

function setUp(options: LoadBalancerOptions = {}, nodes = 3) {
  let now = 0;
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const balancer = new LoadBalancer({ clock: { now: () => now }, random }, options);
  for (let i = 0; i < nodes; i++) balancer.add({ nodeId: BigInt(i), health: "healthy" });
  const select = (request?: BalancedRequest): Lease => {
    const selection = balancer.select(request);
    assert.ok(selection.ok, selection.ok ? "" : selection.fault);
    return selection.lease;
  };
  const fault = (request?: BalancedRequest) => {
    const selection = balancer.select(request);
    return selection.ok ? "none" : selection.fault;
  };
  return { balancer, select, fault, pass: (ms: number) => void (now += ms) };
}

Deno.test("select() never picks who is gone, off, ill, full or behind an open circuit", () => {
  const nodes = fc.nat(5).map(BigInt);
  const step = fc.oneof(
    fc.record({
      do: fc.constant("add" as const),
      node: nodes,
      max: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({ do: fc.constant("remove" as const), node: nodes }),
    fc.record({ do: fc.constant("switch" as const), node: nodes, on: fc.boolean() }),
    fc.record({
      do: fc.constant("health" as const),
      node: nodes,
      health: fc.constantFrom<EndpointHealth>("healthy", "degraded", "unhealthy", "unknown"),
    }),
    fc.record({ do: fc.constant("select" as const), key: fc.string({ maxLength: 2 }) }),
    fc.record({ do: fc.constant("end" as const), at: fc.nat(20), how: fc.nat(2) }),
    fc.record({ do: fc.constant("pass" as const), ms: fc.nat(CIRCUIT_RECOVERY_MS) }),
  );
  const strategy = fc.constantFrom(...BALANCING_STRATEGIES);
  fc.assert(fc.property(strategy, fc.array(step, { maxLength: 80 }), (name, steps) => {
    const { balancer, pass } = setUp({ strategy: name }, 0);
    const leases: Lease[] = [];
    for (const one of steps) {
      if (one.do === "add") {
        balancer.add({ nodeId: one.node, connectionsMax: one.max, health: "healthy" });
      } else if (one.do === "remove") balancer.remove(one.node);
      else if (one.do === "switch") balancer.setEnabled(one.node, one.on);
      else if (one.do === "health") balancer.setHealth(one.node, one.health);
      else if (one.do === "pass") pass(one.ms);
      else if (one.do === "select") {
        const before = new Map(balancer.endpoints().map((info) => [info.nodeId, info]));
        const selection = balancer.select({ routingKey: one.key });
        if (!selection.ok) continue;
        const info = before.get(selection.lease.nodeId);
        assert.ok(info !== undefined && info.isEnabled && info.health !== "unhealthy");
        assert.notEqual(info.circuit, "open");
        assert.equal(selection.lease.isProbe, info.circuit === "half_open");
        assert.ok(!selection.lease.isRemoved);
        leases.push(selection.lease);
      } else {
        const lease = leases[one.at];
        if (one.how === 0) lease?.succeed();
        else if (one.how === 1) lease?.fail();
        else lease?.abandon();
      }
      for (const { connections } of balancer.endpoints()) {
        assert.ok(connections >= 0 && connections <= 3);
      }
    }
  }));
});

Deno.test("select() says why nobody can be picked", () => {
  const empty = setUp({}, 0);
  assert.equal(empty.fault(), "no_endpoints");
  const { balancer, fault, select } = setUp({ zone: "a", hasZoneFallback: false }, 0);
  balancer.add({ nodeId: 1n, health: "unhealthy", zone: "b", tags: ["gpu"], connectionsMax: 1 });
  assert.equal(fault(), "all_unhealthy");
  balancer.setHealth(1n, "healthy");
  assert.equal(fault({ tags: ["gpu", "x"] }), "no_matching_tags");
  assert.equal(fault({ tags: ["gpu"] }), "no_matching_zone");
  const lease = select({ zone: "b", tags: ["gpu"] });
  assert.equal(fault({ zone: "b" }), "connections_full");
  lease.abandon();
  for (let i = 0; i < 5; i++) select({ zone: "b" }).fail();
  assert.equal(fault({ zone: "b" }), "circuit_open");
});

Deno.test("select() prefers the own zone and falls back to all", () => {
  const { balancer, select } = setUp({ zone: "a" }, 0);
  balancer.add({ nodeId: 1n, health: "healthy", zone: "b" });
  assert.equal(select().nodeId, 1n);
  balancer.add({ nodeId: 2n, health: "healthy", zone: "a" });
  for (let i = 0; i < 4; i++) assert.equal(select().nodeId, 2n);
  assert.equal(select({ zone: "b" }).nodeId, 1n);
  const blind = setUp({ zone: "a", isZoneAware: false }, 0);
  blind.balancer.add({ nodeId: 1n, zone: "b" });
  blind.balancer.add({ nodeId: 2n, zone: "a" });
  assert.deepEqual([blind.select().nodeId, blind.select().nodeId], [1n, 2n]);
});

Deno.test("a circuit opens, lets a probe through after 30 s, and closes when it succeeds", () => {
  const { select, fault, pass, balancer } = setUp({}, 1);
  for (let i = 0; i < 5; i++) select().fail();
  assert.equal(fault(), "circuit_open");
  pass(CIRCUIT_RECOVERY_MS);
  assert.equal(balancer.endpoints()[0]?.circuit, "half_open");
  const probe = select();
  assert.ok(probe.isProbe);
  assert.equal(fault(), "circuit_open");
  probe.succeed();
  assert.ok(!select().isProbe);
});

Deno.test("leases count as under way until they end, once", () => {
  const { select, balancer } = setUp({}, 1);
  const lease = select();
  assert.equal(balancer.endpoints()[0]?.connections, 1);
  lease.succeed();
  lease.fail();
  lease.abandon();
  assert.equal(balancer.endpoints()[0]?.connections, 0);
  const late = select();
  balancer.remove(0n);
  assert.ok(late.isRemoved);
  late.fail();
  assert.equal(balancer.size, 0);
});

Deno.test("consistent_hash keeps a key where it is, and takes the first key there is", () => {
  const { select, balancer } = setUp({ strategy: "consistent_hash" }, 8);
  const home = select({ routingKey: "k" }).nodeId;
  assert.equal(select({ sessionId: "k" }).nodeId, home);
  assert.equal(select({ requestId: "k" }).nodeId, home);
  assert.equal(select({ routingKey: "k", sessionId: "other" }).nodeId, home);
  const homes = Array.from({ length: 300 }, (_, i) => select({ routingKey: `${i}` }).nodeId);
  balancer.setEnabled(3n, false);
  homes.forEach((was, i) => {
    const is = select({ routingKey: `${i}` }).nodeId;
    if (was === 3n) assert.notEqual(is, 3n);
    else assert.equal(is, was);
  });
  balancer.setEnabled(3n, true);
  homes.forEach((was, i) => assert.equal(select({ routingKey: `${i}` }).nodeId, was));
  // Without a key they take turns.
  assert.notEqual(select().nodeId, select().nodeId);
});

Deno.test("least_load and least_latency go by fresh metrics and by what was measured", () => {
  const { select, balancer, pass } = setUp({ strategy: "least_load" }, 2);
  balancer.setMetrics(0n, { ...IDLE, cpu: 0.9 });
  assert.equal(select().nodeId, 1n);
  pass(10_001);
  // Stale metrics say nothing; node 1 has a call under way.
  assert.equal(select().nodeId, 0n);
  const fast = setUp({ strategy: "least_latency" }, 2);
  const slow = fast.select();
  assert.equal(slow.nodeId, 0n);
  fast.pass(500);
  slow.succeed();
  assert.equal(fast.select().nodeId, 1n);
});

Deno.test("adaptive looks at connections under load, at keys otherwise", () => {
  const { select, balancer } = setUp({ strategy: "adaptive" }, 3);
  const home = select({ sessionId: "s" });
  assert.equal(select({ sessionId: "s" }).nodeId, home.nodeId);
  const busy = { ...IDLE, cpu: 1, memory: 1, responseMs: 1e9, errors: 1 };
  for (let i = 0n; i < 3n; i++) balancer.setMetrics(i, busy);
  const picked = [select({ sessionId: "s" }).nodeId, select({ sessionId: "s" }).nodeId];
  assert.ok(!picked.includes(home.nodeId));
  assert.notEqual(picked[0], picked[1]);
});

Deno.test("weighted strategies share calls as weights say", () => {
  for (const strategy of ["weighted_round_robin", "weighted_random"] as const) {
    const { balancer, select } = setUp({ strategy }, 0);
    balancer.add({ nodeId: 1n, weight: 300, health: "healthy" });
    balancer.add({ nodeId: 2n, weight: 100, health: "healthy" });
    let first = 0;
    for (let i = 0; i < 4_000; i++) {
      const lease = select();
      if (lease.nodeId === 1n) first += 1;
      lease.succeed();
    }
    assert.ok(Math.abs(first - 3_000) < 100, `${strategy}: ${first}`);
  }
  const { balancer, select } = setUp({ strategy: "weighted_least_connections" }, 0);
  balancer.add({ nodeId: 1n, weight: 300, health: "healthy" });
  balancer.add({ nodeId: 2n, weight: 100, health: "healthy" });
  for (let i = 0; i < 400; i++) select();
  assert.deepEqual(balancer.endpoints().map(({ connections }) => connections), [300, 100]);
});

Deno.test("loadScore() is 1 for who is busy in every way, and isOverloaded() has its limits", () => {
  const busy = { cpu: 1, memory: 1, connections: 20_000, responseMs: 5e3, errors: 1, queued: 0 };
  assert.ok(Math.abs(loadScore(busy, 0) - 1) < 1e-12);
  assert.equal(loadScore(undefined, 0), 0);
  assert.ok(!isOverloaded({ ...IDLE, cpu: 0.9, memory: 0.95, errors: 0.1, queued: 1_000 }));
  for (const over of [{ cpu: 0.91 }, { memory: 0.96 }, { errors: 0.11 }, { queued: 1_001 }]) {
    assert.ok(isOverloaded({ ...IDLE, ...over }));
  }
});

Deno.test("setMetrics() takes numbers that make no sense for none", () => {
  const { balancer } = setUp({}, 1);
  balancer.setMetrics(0n, { ...IDLE, cpu: NaN, memory: -3, errors: Infinity });
  assert.equal(balancer.endpoints()[0]?.load, 0.15);
  assert.ok(!balancer.setMetrics(9n, IDLE) && !balancer.setHealth(9n, "healthy"));
});

Deno.test("add() replaces, and refuses what makes no sense or is too much", () => {
  const { balancer, select } = setUp({ strategy: "consistent_hash" }, 1);
  select({ routingKey: "k" });
  balancer.add({ nodeId: 0n, weight: 7 });
  assert.equal(balancer.size, 1);
  assert.equal(balancer.endpoints()[0]?.connections, 0);
  assert.equal(select({ routingKey: "k" }).nodeId, 0n);
  for (const wrong of [{ weight: -1 }, { weight: NaN }, { connectionsMax: 0 }]) {
    assert.throws(() => balancer.add({ nodeId: 5n, ...wrong }), RangeError);
  }
  assert.throws(() => balancer.add({ nodeId: 5n, tags: Array(65).fill("t") }), RangeError);
  assert.throws(() => balancer.add({ nodeId: 5n, ringId: new Uint8Array(31) }), RangeError);
  for (let i = 1n; i < BigInt(ENDPOINTS_MAX); i++) balancer.add({ nodeId: i });
  assert.throws(
    () => balancer.add({ nodeId: 1n << 40n }),
    (error) => error instanceof NetError && error.code === "limit",
  );
});

Deno.test("ringId() writes the node id lowest byte first", () => {
  assert.equal(ringId(0x0102n).toHex(), "0201" + "00".repeat(30));
});
