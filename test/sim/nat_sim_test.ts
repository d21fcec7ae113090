/** Every pair of NATs, both ways round: the action the table gives, and a way that works in the end. */
import assert from "node:assert/strict";
import type { NatClass, PathKind, PathReport } from "../../src/core/transport/mod.ts";
import { NatKit, type NatNode } from "./nat_kit.ts";
import { NAT_KINDS, type NatKind } from "./nat_network.ts";

const SEEDS = [1, 2, 3];

const CLASS_OF: Readonly<Record<NatKind, NatClass>> = {
  open: "open",
  full_cone: "cone",
  restricted_cone: "cone",
  port_restricted: "cone",
  symmetric: "symmetric",
};

/** `nrpc.md` 16, written out for the classes that can be told from outside. */
const ACTION_OF: Readonly<Record<string, string>> = {
  "open open": "direct",
  "open cone": "direct",
  "cone open": "direct",
  "symmetric symmetric": "relay",
};

for (const own of NAT_KINDS) {
  for (const other of NAT_KINDS) {
    Deno.test(`DirectConnector reaches a peer: ${own} to ${other}`, async () => {
      for (const seed of SEEDS) await runPair(own, other, seed);
    });

    Deno.test(`DirectConnector takes a session off its relay: ${own} to ${other}`, async () => {
      await runRelayedPair(own, other, 4);
    });
  }
}

Deno.test("DirectConnector finds a way for every pair where packets are lost, late and out of order", async () => {
  const conditions = { lossRate: 0.05, duplicateRate: 0.02, delayMs: 50, jitterMs: 30 };
  for (const own of NAT_KINDS) {
    for (const other of NAT_KINDS) {
      using kit = new NatKit(5, conditions);
      const { from, to } = await createScene(kit, own, other);
      const isHopeless = expectedKinds(own, other).at(-1) === "relay";
      // A lost introduction costs one try: the upgrader makes as many as it takes.
      for (let tries = 0; tries < 3; tries++) {
        const report = await kit.connect(from, to);
        const trace = `${own} to ${other}: ${describe(report)}`;
        assert.notEqual(report.outcome, "none", trace);
        if (isHopeless) assert.equal(report.outcome, "relayed", trace);
        await kit.transfer(from, to);
        await kit.transfer(to, from);
        if (isHopeless || report.outcome === "direct") break;
        assert.ok(tries < 2, trace);
        await kit.clock.advance(10_000);
      }
    }
  }
});

interface Scene {
  readonly coordinators: readonly NatNode[];
  readonly from: NatNode;
  readonly to: NatNode;
}

/** Two nodes that joined through the same coordinators and were classified by them. */
async function createScene(kit: NatKit, own: NatKind, other: NatKind): Promise<Scene> {
  const coordinators = [kit.traverser("open"), kit.traverser("open")];
  const [from, to] = [kit.traverser(own), kit.traverser(other)];
  for (const node of [from, to]) {
    for (const outside of coordinators) await kit.join(node, outside);
    await kit.classify(node, coordinators);
  }
  assert.equal(from.announced.natClass, CLASS_OF[own]);
  assert.equal(to.announced.natClass, CLASS_OF[other]);
  return { coordinators, from, to };
}

async function runPair(own: NatKind, other: NatKind, seed: number): Promise<void> {
  using kit = new NatKit(seed);
  const { coordinators, from, to } = await createScene(kit, own, other);
  const report = await kit.connect(from, to);
  const trace = `seed ${seed}: ${describe(report)}`;
  const action = ACTION_OF[`${CLASS_OF[own]} ${CLASS_OF[other]}`] ?? "punch";
  assert.equal(report.action, action, trace);
  const kinds = report.attempts.map(({ kind }) => kind);
  assert.deepEqual(kinds, expectedKinds(own, other), trace);
  const last = report.attempts.at(-1);
  assert.equal(last?.outcome, "connected", trace);
  const isRelayed = last?.kind === "relay";
  assert.equal(report.outcome, isRelayed ? "relayed" : "direct", trace);

  for (const [one, peer] of [[from, to], [to, from]] as const) {
    const info = one.transport.peer(peer.nodeId);
    assert.equal(info?.isRelayed, isRelayed, trace);
    assert.equal(info?.isSealed, true, trace);
    await kit.transfer(one, peer);
  }
  const { counters } = from.plane;
  const hasPunched = kinds.includes("punch") && action !== "relay";
  assert.equal(counters.punches_attempted, hasPunched ? 1 : 0, trace);
  assert.equal(counters.punches_succeeded, last?.kind === "punch" ? 1 : 0, trace);
  assert.equal(counters.relay_fallbacks, isRelayed ? 1 : 0, trace);
  let introduced = 0;
  for (const { plane } of coordinators) introduced += plane.counters.introductions_sent_total;
  assert.equal(introduced, hasPunched ? 1 : 0, trace);
  for (const { plane } of [from, to, ...coordinators]) {
    assert.equal(plane.counters.peer_auth_rejections_total, 0, trace);
    assert.equal(plane.counters.drop_malformed_total, 0, trace);
  }
}

/** As above, with a relayed session and a stream in use before: both are the same ones afterwards. */
async function runRelayedPair(own: NatKind, other: NatKind, seed: number): Promise<void> {
  using kit = new NatKit(seed);
  const { coordinators, from, to } = await createScene(kit, own, other);
  const [relay] = coordinators;
  assert.ok(relay);
  await kit.join(from, to, relay);
  assert.equal(from.transport.peer(to.nodeId)?.isRelayed, true);
  const opened = from.transport.counters.sessions_opened_total;

  const arrived: number[] = [];
  const ends: string[] = [];
  to.transport.openReceiveStream(from.nodeId, 7n, {
    onEvent: (_, payload) => void arrived.push(payload[0] ?? -1),
    onEnd: (reason) => void ends.push(reason),
  }, { isOrdered: true });
  const stream = from.transport.openSendStream(to.nodeId, 7n);
  let isSending = true;
  const sending = (async () => {
    let sent = 0;
    for (; isSending; sent++) {
      while (!stream.trySend(Uint8Array.of(sent & 0xff))) await stream.ready();
      await new Promise<void>((resolve) => kit.clock.after(50, resolve));
    }
    await stream.close();
    return sent;
  })();
  const report = await kit.connect(from, to);
  await kit.clock.advance(2_000);
  isSending = false;
  const sent = await kit.settle(sending);

  const trace = describe(report);
  const kinds = expectedKinds(own, other);
  assert.deepEqual(report.attempts.map(({ kind }) => kind), kinds, trace);
  const isRelayed = kinds.at(-1) === "relay";
  assert.equal(report.outcome, isRelayed ? "relayed" : "direct", trace);
  assert.equal(from.transport.peer(to.nodeId)?.isRelayed, isRelayed, trace);
  assert.equal(to.transport.peer(from.nodeId)?.isRelayed, isRelayed, trace);
  assert.equal(from.transport.counters.sessions_opened_total, opened, trace);
  assert.deepEqual(ends, [], trace);
  assert.deepEqual(arrived, Array.from({ length: sent }, (_, i) => i & 0xff), trace);

  if (isRelayed) return;
  // The relay is out of the way for good, and the hole stays open.
  relay.transport.stop();
  await kit.clock.advance(120_000);
  await kit.transfer(to, from);
  assert.equal(from.transport.peer(to.nodeId)?.state, "connected", trace);
}

/** What physics make of it: which ways are tried until one leads through. */
function expectedKinds(own: NatKind, other: NatKind): PathKind[] {
  const classes = [CLASS_OF[own], CLASS_OF[other]].join(" ");
  if (classes === "symmetric symmetric") return ["punch", "relay"];
  if (ACTION_OF[classes] === "direct") {
    // An open node's first packet to a cone is let in only where everybody's is.
    const isFiltered = other === "restricted_cone" || other === "port_restricted";
    return isFiltered ? ["direct", "punch"] : ["direct"];
  }
  // A symmetric NAT gives a port of its own, which a filter by port does not expect.
  const kinds = [own, other];
  const isHopeless = kinds.includes("symmetric") && kinds.includes("port_restricted");
  return isHopeless ? ["punch", "relay"] : ["punch"];
}

function describe({ attempts }: PathReport): string {
  return JSON.stringify(
    attempts,
    (_, value) => typeof value === "bigint" ? value.toString(16) : value,
  );
}
