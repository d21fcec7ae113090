import assert from "node:assert/strict";
import { NatError } from "../../../src/core/transport/mod.ts";
import { NatServiceKit, type ServedNode } from "./nat_service_kit.ts";

/** A node with sessions to all of the coordinators. */
async function joined(
  kit: NatServiceKit,
  node: ServedNode,
  coordinators: readonly ServedNode[],
): Promise<ServedNode> {
  for (const outside of coordinators) await kit.join(node, outside);
  return node;
}

/** Of two nodes the one with the lower id first. */
function byId(one: ServedNode, other: ServedNode): readonly [ServedNode, ServedNode] {
  return one.nodeId < other.nodeId ? [one, other] : [other, one];
}

for (
  const [kind, natClass] of [
    ["open", "open"],
    ["port_restricted", "cone"],
    ["symmetric", "symmetric"],
  ] as const
) {
  Deno.test(`NatService announces ${natClass} soon after the second peer`, async () => {
    using kit = new NatServiceKit();
    const [first, second] = await kit.coordinators();
    assert.ok(first && second);
    const node = await kit.serve(kind);
    assert.deepEqual(node.announced?.tags, ["nat:unknown", "relay-capable"]);
    await kit.join(node, first);
    await kit.clock.advance(61_000);
    assert.equal(node.nat.classification, "unknown");
    assert.equal(node.nat.counters().reflex_queries_total, 0);

    await kit.join(node, second);
    await kit.clock.advance(1_000);
    assert.equal(node.nat.classification, natClass);
    assert.deepEqual(node.announced?.tags, [`nat:${natClass}`, "relay-capable"]);
    const { reflexAddress } = node.nat;
    assert.ok(reflexAddress);
    assert.equal(node.announced?.reflexAddress, `${reflexAddress.host}:${reflexAddress.port}`);
    assert.equal(reflexAddress.host, "203.0.113.3");
  });
}

Deno.test("NatService knows neither class nor address when nobody answers any more", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const node = await joined(kit, await kit.serve("full_cone"), coordinators);
  await kit.clock.advance(1_000);
  assert.equal(node.nat.classification, "cone");

  kit.network.filter = () => false;
  await kit.clock.advance(65_000);
  assert.equal(node.nat.classification, "unknown");
  assert.equal(node.nat.reflexAddress, undefined);
  assert.deepEqual(node.announced, {
    tags: ["nat:unknown", "relay-capable"],
    reflexAddress: undefined,
  });
  assert.equal(node.nat.counters().reflex_failures_total, 2);

  kit.network.filter = undefined;
  await kit.clock.advance(61_000);
  assert.equal(node.nat.classification, "cone");
});

Deno.test("NatService.setReflexOverride() makes the class open and stops asking until it is cleared", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const node = await joined(kit, await kit.serve("symmetric"), coordinators);
  node.nat.setReflexOverride({ host: "198.51.100.9", port: 9_000 }, "port_mapping");
  await kit.clock.advance(130_000);
  assert.equal(node.nat.classification, "open");
  assert.deepEqual(node.announced, {
    tags: ["nat:open", "relay-capable", "net.port-mapped@1"],
    reflexAddress: "198.51.100.9:9000",
  });
  assert.equal(node.nat.counters().reflex_queries_total, 0);
  node.nat.notePortMapping({ external: { host: "198.51.100.9", port: 9_000 }, renewals: 3 });
  assert.equal(node.nat.stats().port_mapping_external, "198.51.100.9:9000");
  assert.equal(node.metrics.snapshot().net_nat_port_mapping_active, 1);
  assert.equal(node.metrics.snapshot().net_nat_port_mapping_renewals, 3);

  node.nat.clearReflexOverride();
  assert.equal(node.nat.classification, "unknown");
  await kit.clock.advance(1_000);
  assert.equal(node.nat.classification, "symmetric");
  assert.equal(node.nat.reflexOverride, undefined);
});

Deno.test("NatService.setReflexOverride() refuses port 0", async () => {
  using kit = new NatServiceKit();
  const node = await kit.serve("open");
  assert.throws(
    () => node.nat.setReflexOverride({ host: "198.51.100.9", port: 0 }, "operator"),
    RangeError,
  );
});

Deno.test("NatService that is off asks, announces and introduces nothing, and still dials", async () => {
  using kit = new NatServiceKit();
  const [first, second] = await kit.coordinators();
  assert.ok(first && second);
  const node = await joined(kit, await kit.serve("full_cone", { isOn: false }), [first, second]);
  await kit.clock.advance(61_000);
  assert.equal(node.announced, undefined);
  assert.equal(node.nat.classification, "unknown");
  assert.equal(node.nat.counters().reflex_queries_total, 0);

  const other = await joined(kit, await kit.serve("full_cone"), [first, second]);
  await kit.clock.advance(1_000);
  const report = await kit.settle(node.nat.connectDirect(other.nodeId));
  assert.deepEqual(report.attempts.map(({ kind, outcome }) => [kind, outcome]), [
    ["punch", "skipped"],
    ["relay", "connected"],
  ]);
  assert.equal(report.attempts[0]?.error, "unsupported");
});

Deno.test("Upgrader takes an idle peer off its relay, from the side with the lower id", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const [coordinator] = coordinators;
  assert.ok(coordinator);
  const [low, high] = byId(await kit.serve("port_restricted"), await kit.serve("restricted_cone"));
  for (const node of [low, high]) await joined(kit, node, coordinators);
  await kit.clock.advance(1_000);
  await kit.join(low, high, coordinator);
  assert.equal(low.transport.peer(high.nodeId)?.isRelayed, true);
  await kit.clock.advance(6_000);
  assert.equal(low.transport.peer(high.nodeId)?.isRelayed, false);
  assert.equal(high.transport.peer(low.nodeId)?.isRelayed, false);
  assert.deepEqual(
    [low, high].map(({ nat }) => {
      const { upgrades_attempted, upgrades_succeeded } = nat.stats();
      return [upgrades_attempted, upgrades_succeeded];
    }),
    [[1, 1], [0, 0]],
  );
  await kit.transfer(low, high);
  await kit.transfer(high, low);
});

/** A relayed pair whose NATs can be punched through, the node with the lower id first. */
async function relayedPair(kit: NatServiceKit, isSealing: boolean) {
  const coordinators = await kit.coordinators();
  const [coordinator] = coordinators;
  assert.ok(coordinator);
  const [low, high] = byId(
    await kit.serve("port_restricted", { isSealing }),
    await kit.serve("full_cone", { isSealing }),
  );
  for (const node of [low, high]) await joined(kit, node, coordinators);
  await kit.clock.advance(1_000);
  await kit.join(low, high, coordinator);
  return [low, high] as const;
}

Deno.test("Upgrader moves a busy sealed session with its streams", async () => {
  using kit = new NatServiceKit();
  const [low, high] = await relayedPair(kit, true);
  const ends: string[] = [];
  const arrived: number[] = [];
  high.transport.openReceiveStream(low.nodeId, 5n, {
    onEvent: (_, payload) => void arrived.push(payload[0] ?? -1),
    onEnd: (reason) => void ends.push(reason),
  });
  const stream = low.transport.openSendStream(high.nodeId, 5n);
  assert.ok(stream.trySend(Uint8Array.of(1)));
  await kit.clock.advance(6_000);
  assert.equal(low.transport.peer(high.nodeId)?.isRelayed, false);
  assert.equal(high.transport.peer(low.nodeId)?.isRelayed, false);
  assert.ok(stream.trySend(Uint8Array.of(2)));
  await kit.settle(stream.close());
  assert.deepEqual([arrived, ends], [[1, 2], []]);
  const { upgrades_succeeded, upgrades_deferred_busy } = low.nat.stats();
  assert.deepEqual([upgrades_succeeded, upgrades_deferred_busy], [1, 0]);
});

Deno.test("Upgrader waits until a compat session is idle, and counts the waits", async () => {
  using kit = new NatServiceKit();
  const [low, high] = await relayedPair(kit, false);
  high.transport.openReceiveStream(low.nodeId, 5n, { onEvent: () => {}, onEnd: () => {} });
  const stream = low.transport.openSendStream(high.nodeId, 5n);
  assert.ok(stream.trySend(Uint8Array.of(1)));
  await kit.clock.advance(10_000);
  assert.equal(low.transport.peer(high.nodeId)?.isRelayed, true);
  const { upgrades_attempted, upgrades_deferred_busy } = low.nat.stats();
  assert.equal(upgrades_attempted, 0);
  assert.ok(upgrades_deferred_busy >= 2 && upgrades_deferred_busy <= 5);

  await kit.settle(stream.close());
  await kit.clock.advance(12_000);
  assert.equal(low.transport.peer(high.nodeId)?.isRelayed, false);
  assert.equal(high.transport.peer(low.nodeId)?.isRelayed, false);
  assert.equal(low.nat.stats().upgrades_succeeded, 1);
  await kit.transfer(low, high);
});

Deno.test("Upgrader leaves hopeless pairs alone", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const [coordinator] = coordinators;
  assert.ok(coordinator);
  const [low, high] = byId(await kit.serve("symmetric"), await kit.serve("symmetric"));
  for (const node of [low, high]) await joined(kit, node, coordinators);
  await kit.join(low, high, coordinator);
  await kit.clock.advance(60_000);
  assert.equal(low.nat.stats().upgrades_attempted, 0);
  assert.equal(low.transport.peer(high.nodeId)?.isRelayed, true);
});

Deno.test("Upgrader tries again after pauses that double", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const [coordinator] = coordinators;
  assert.ok(coordinator);
  // A punch between these two never works, which their classes do not tell.
  const [low, high] = byId(await kit.serve("symmetric"), await kit.serve("port_restricted"));
  for (const node of [low, high]) await joined(kit, node, coordinators);
  await kit.clock.advance(1_000);
  await kit.join(low, high, coordinator);
  const attempts: number[] = [];
  const start = kit.clock.now();
  for (let at = 0; at < 120; at++) {
    await kit.clock.advance(1_000);
    const { upgrades_attempted } = low.nat.stats();
    if (upgrades_attempted > attempts.length) attempts.push((kit.clock.now() - start) / 1_000);
  }
  const pauses = attempts.slice(1).map((at, i) => at - (attempts[i] ?? 0));
  assert.ok(attempts.length >= 4 && attempts.length <= 6, `attempts at ${attempts}`);
  for (const [i, pause] of pauses.entries()) {
    // An attempt takes about 5 s of it; a look a second; up to 25 % jitter.
    const backoff = 2 * 2 ** (i + 1);
    assert.ok(pause >= backoff && pause <= backoff * 1.25 + 8, `pauses ${pauses}`);
  }
  assert.equal(low.nat.stats().upgrades_succeeded, 0);
  await kit.transfer(low, high);
});

Deno.test("NatService.connectDirect() says when it does not know a peer's key", async () => {
  using kit = new NatServiceKit();
  const node = await kit.serve("open");
  const report = await node.nat.connectDirect(77n);
  assert.equal(report.outcome, "none");
  assert.deepEqual(report.attempts.map(({ outcome, error }) => [outcome, error]), [
    ["skipped", "unsupported"],
  ]);
  await assert.rejects(() => node.nat.connectDirect(node.nodeId), { code: "usage" });
});

Deno.test("NatService.connectDirect() without coordinators says so", async () => {
  using kit = new NatServiceKit();
  const node = await kit.serve("full_cone");
  const other = await kit.serve("full_cone");
  const report = await kit.settle(node.nat.connectDirect(other.nodeId));
  assert.deepEqual(report.attempts.map(({ kind, outcome, error }) => [kind, outcome, error]), [
    ["direct", "skipped", "peer-not-reachable"],
    ["punch", "skipped", "rendezvous-no-relay"],
    ["relay", "skipped", "rendezvous-no-relay"],
  ]);
  assert.equal(report.outcome, "none");
  assert.equal(node.nat.stats().rendezvous_no_relay, 1);
});

Deno.test("NatService.queryReflex() times out with its own kind", async () => {
  using kit = new NatServiceKit();
  const node = await kit.serve("open");
  const other = await kit.serve("open");
  await kit.join(node, other);
  assert.deepEqual(
    await kit.settle(node.nat.queryReflex(other.nodeId)),
    node.transport.localAddress,
  );
  kit.network.filter = () => false;
  const asking = assert.rejects(
    () => node.nat.queryReflex(other.nodeId),
    (error) => error instanceof NatError && error.kind === "reflex-timeout",
  );
  await kit.clock.advance(3_000);
  await asking;
  await assert.rejects(
    () => node.nat.queryReflex(99n),
    (error) => error instanceof NatError && error.kind === "peer-not-reachable",
  );
});

Deno.test("NatService goes back to a relay when a hole closes, and opens another one", async () => {
  using kit = new NatServiceKit();
  const [low, high] = await relayedPair(kit, true);
  await kit.clock.advance(6_000);
  assert.equal(low.transport.peer(high.nodeId)?.isRelayed, false);

  const hosts = [low, high].map(({ box }) => box?.publicAddresses()[0]?.host);
  kit.network.filter = (_, from, to) => !(hosts.includes(from.host) && hosts.includes(to.host));
  await kit.clock.advance(75_000);
  const relayed = low.transport.peer(high.nodeId);
  assert.deepEqual([relayed?.state, relayed?.isRelayed], ["connected", true]);
  assert.equal(low.nat.stats().relay_fallbacks, 1);
  await kit.transfer(low, high);
  await kit.transfer(high, low);

  kit.network.filter = undefined;
  await kit.clock.advance(90_000);
  assert.equal(low.transport.peer(high.nodeId)?.isRelayed, false);
  assert.equal(high.transport.peer(low.nodeId)?.isRelayed, false);
  await kit.transfer(high, low);
});

Deno.test("NatService.connectDirect() asked twice at once seeks once", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const [node, other] = [await kit.serve("full_cone"), await kit.serve("full_cone")];
  for (const one of [node, other]) await joined(kit, one, coordinators);
  await kit.clock.advance(1_000);
  const both = Promise.all([1, 2].map(() => node.nat.connectDirect(other.nodeId)));
  const [first, second] = await kit.settle(both);
  assert.equal(first, second);
  assert.equal(node.nat.stats().punches_attempted, 1);
  const again = await node.nat.connectDirect(other.nodeId);
  assert.match(again.attempts[0]?.reason ?? "", /already/);
});

Deno.test("NatService.connectDirect() ends in time, and at once when aborted", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const [node, other] = [await kit.serve("full_cone"), await kit.serve("full_cone")];
  for (const one of [node, other]) await joined(kit, one, coordinators);
  await kit.clock.advance(1_000);
  kit.network.filter = () => false;
  const startedAt = kit.clock.now();
  const report = await kit.settle(node.nat.connectDirect(other.nodeId, { timeoutMs: 2_000 }));
  assert.equal(report.outcome, "none");
  assert.ok(kit.clock.now() - startedAt <= 4_100);

  const abort = new AbortController();
  const aborted = assert.rejects(
    () => node.nat.connectDirect(other.nodeId, { signal: abort.signal }),
    /enough/,
  );
  abort.abort(new Error("enough"));
  await kit.clock.advance(2_000);
  await aborted;
});

Deno.test("NatService.connectDirect() finds a neighbour behind the same NAT by a local address", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const node = await kit.serve("full_cone");
  const other = await kit.serve("full_cone", { box: node.box });
  for (const one of [node, other]) await joined(kit, one, coordinators);
  await kit.clock.advance(1_000);
  // The NAT does not send back in what is addressed to its own public side.
  const relayed = await kit.settle(node.nat.connectDirect(other.nodeId));
  assert.equal(relayed.outcome, "relayed");
  const direct = await kit.settle(
    node.nat.connectDirect(other.nodeId, { addresses: [other.transport.localAddress] }),
  );
  assert.deepEqual(direct.attempts.map(({ kind, outcome }) => [kind, outcome]), [
    ["punch", "failed"],
    ["direct", "connected"],
  ]);
  assert.deepEqual(node.transport.peer(other.nodeId)?.address, other.transport.localAddress);
  await kit.transfer(node, other);
});

Deno.test("NatService.lastReport() keeps what a search came to, and how long ago that was", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const left = await joined(kit, await kit.serve("symmetric"), coordinators);
  const right = await joined(kit, await kit.serve("symmetric"), coordinators);
  await kit.clock.advance(2_000);
  assert.equal(left.nat.lastReport(right.nodeId), undefined);
  const report = await kit.settle(left.nat.connectDirect(right.nodeId));
  assert.equal(report.outcome, "relayed");
  await kit.clock.advance(5_000);
  const kept = left.nat.lastReport(right.nodeId);
  assert.equal(kept?.report, report);
  assert.ok(kept.ageMs >= 5_000 && kept.ageMs < 6_000, `${kept.ageMs}`);
});

Deno.test("NatService.connectDirect() dials no address that another peer answers at", async () => {
  using kit = new NatServiceKit();
  const coordinators = await kit.coordinators();
  const left = await joined(kit, await kit.serve("symmetric"), coordinators);
  const right = await joined(kit, await kit.serve("symmetric"), coordinators);
  await kit.clock.advance(2_000);
  const addresses = coordinators.map(({ transport }) => transport.localAddress);
  const { attempts } = await kit.settle(left.nat.connectDirect(right.nodeId, { addresses }));
  assert.deepEqual(attempts.map(({ kind, outcome }) => [kind, outcome]), [
    ["punch", "skipped"],
    ["relay", "connected"],
  ]);
});
