/** Every pair of NATs, both ways round: the action the table gives, and a way that works in the end. */
import assert from "node:assert/strict";
import type { NatClass, PathKind } from "../../src/core/transport/mod.ts";
import { NatKit } from "./nat_kit.ts";
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
  }
}

async function runPair(own: NatKind, other: NatKind, seed: number): Promise<void> {
  using kit = new NatKit(seed);
  const coordinators = [kit.traverser("open"), kit.traverser("open")] as const;
  const [coordinator] = coordinators;
  const from = kit.traverser(own);
  const to = kit.traverser(other);
  for (const node of [from, to]) {
    for (const outside of coordinators) await kit.join(node, outside);
    await kit.classify(node, coordinators);
  }
  const what = `${own} to ${other}, seed ${seed}`;
  assert.equal(from.announced.natClass, CLASS_OF[own], what);
  assert.equal(to.announced.natClass, CLASS_OF[other], what);

  const report = await kit.connect(from, to);
  const trace = `${what}: ${
    JSON.stringify(report.attempts, (_, value) => {
      return typeof value === "bigint" ? value.toString(16) : value;
    })
  }`;
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
  const introduced = [...coordinators].reduce(
    (sum, { plane }) => sum + plane.counters.introductions_sent_total,
    0,
  );
  assert.equal(introduced, hasPunched ? 1 : 0, trace);
  assert.equal(counters.peer_auth_rejections_total, 0, trace);
  assert.equal(coordinator.plane.counters.drop_malformed_total, 0, trace);
}

/** What physics make of it: which ways are tried until one leads through. */
function expectedKinds(own: NatKind, other: NatKind): PathKind[] {
  const classes = [CLASS_OF[own], CLASS_OF[other]].join(" ");
  if (classes === "symmetric symmetric") return ["punch", "relay"];
  if (ACTION_OF[classes] === "direct") {
    // An open node's first packet to a cone is let in only where everybody's is.
    return other === "restricted_cone" || other === "port_restricted"
      ? ["direct", "punch"]
      : ["direct"];
  }
  // A symmetric NAT gives a port of its own, which a filter by port does not expect.
  const kinds = [own, other];
  const isHopeless = kinds.includes("symmetric") && kinds.includes("port_restricted");
  return isHopeless ? ["punch", "relay"] : ["punch"];
}
