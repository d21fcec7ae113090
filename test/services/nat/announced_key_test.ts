/** Nodes over real sockets that reach each other by nothing but their announcements. */
import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/base/mod.ts";
import { createRamKeys } from "../../../src/core/crypto/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { NatService } from "../../../src/services/mod.ts";
import { type CapableNode, startCapableNode, until } from "../capabilities/capability_kit.ts";

/** Runs the service of a node; it may remember a key of every peer. */
async function serve({ mesh, capabilities }: CapableNode, remembered?: Uint8Array) {
  const metrics = createMetricRegistry();
  const nat = new NatService({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    metrics,
    mesh: {
      transport: mesh.transport,
      findPeer: () => Promise.resolve(remembered && { noisePublicKey: remembered, addresses: [] }),
      requireSealing: (peer, entityId) => mesh.requireSealing(peer, entityId),
    },
    capabilities,
  }, { isOn: false });
  await nat.start();
  return { nat, metrics, [Symbol.asyncDispose]: () => nat.stop() };
}

/** Waits until a node knows the other one's latest announcement and a way to it. */
async function heard(node: CapableNode, other: CapableNode): Promise<void> {
  const version = () => node.capabilities.get(other.nodeId)?.version ?? 0n;
  await until("it is known", () => version() >= other.capabilities.own.version);
  await until("a route", () => node.mesh.transport.nextHop(other.nodeId) !== undefined);
}

Deno.test("NatService reaches a node by its announcement, also after that got another Noise key", async () => {
  await using hub = await startCapableNode();
  await using left = await startCapableNode({ join: hub });
  const right = await startCapableNode({ join: hub });
  await using reaching = await serve(left);
  await heard(left, right);
  await reaching.nat.reach(right.nodeId);
  const peerOf = () => left.mesh.transport.peer(right.nodeId);
  assert.deepEqual([peerOf()?.isSealed, peerOf()?.isRelayed], [true, true]);
  assert.equal(reaching.metrics.snapshot().net_nat_reach_succeeded_total, 1);
  await right.stop();
  await until("it is given up", () => peerOf()?.state === "failed");

  // The same identity; whoever remembers its key of before would dial in vain.
  const { noise } = createRamKeys();
  await using again = await startCapableNode({ join: hub, keys: { ...right.keys, noise } });
  await heard(left, again);
  await reaching.nat.reach(again.nodeId);
  assert.deepEqual([peerOf()?.state, peerOf()?.isSealed], ["connected", true]);
});

Deno.test("NatService connects with a node by its announcement, for a caller who knows no key", async () => {
  await using hub = await startCapableNode();
  await using left = await startCapableNode({ join: hub });
  await using right = await startCapableNode({ join: hub });
  // What it remembers of before counts less than what is announced.
  await using connecting = await serve(left, createRamKeys().noise.publicKey);
  await heard(left, right);
  const report = await connecting.nat.connectDirect(right.nodeId);
  assert.equal(report.outcome, "relayed");
  assert.deepEqual(report.attempts.at(-1)?.via, hub.nodeId);
  assert.equal(left.mesh.transport.peer(right.nodeId)?.isSealed, true);
});

Deno.test("NatService makes no session with a key that a node announced and does not hold", async () => {
  const other = createRamKeys();
  await using hub = await startCapableNode();
  await using left = await startCapableNode({ join: hub });
  // It announces the key of somebody else in place of its own.
  await using right = await startCapableNode({ join: hub });
  const entry = ["net.noise-key", other.noise.publicKey.toHex()] as const;
  right.capabilities.contribute("forged", { tags: [], metadata: [entry] });
  await using reaching = await serve(left);
  await heard(left, right);
  await until("the other key", () => {
    const known = left.capabilities.get(right.nodeId)?.capabilities.metadata.get(entry[0]);
    return known === entry[1];
  });
  await assert.rejects(reaching.nat.reach(right.nodeId), {
    code: "unreachable",
    message: /does not answer/,
  });
  assert.equal(left.mesh.transport.peer(right.nodeId), undefined);
  assert.equal(reaching.metrics.snapshot().net_nat_reach_failed_total, 1);
});
