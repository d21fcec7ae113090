import assert from "node:assert/strict";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { NatService } from "../../../src/services/mod.ts";
import { ProvenKeys } from "../../../src/services/nat/proven_keys.ts";
import { MeshKit } from "../../sim/mesh_kit.ts";

const proven = (nodeId: bigint, fill: number) => ({
  nodeId,
  entityId: new Uint8Array(32).fill(fill),
  noisePublicKey: new Uint8Array(32).fill(fill + 1),
  address: { host: "192.0.2.1", port: 1 },
  hasDialledUs: false,
  isRelayed: false,
});

Deno.test("ProvenKeys keeps the key that a node proved last", () => {
  const keys = new ProvenKeys();
  assert.equal(keys.get(1n), undefined);
  keys.note(proven(1n, 5));
  keys.note(proven(1n, 7));
  assert.deepEqual(keys.get(1n), {
    entityId: new Uint8Array(32).fill(7),
    noisePublicKey: new Uint8Array(32).fill(8),
    version: 0n,
  });
});

Deno.test("ProvenKeys forgets the node that proved itself longest ago", () => {
  const keys = new ProvenKeys();
  for (let node = 0n; node < 4_096n; node++) keys.note(proven(node, 1));
  keys.note(proven(0n, 1));
  keys.note(proven(5_000n, 1));
  assert.equal(keys.get(1n), undefined);
  assert.notEqual(keys.get(0n), undefined);
  assert.notEqual(keys.get(5_000n), undefined);
});

Deno.test("NatService reaches a peer whose own way broke through another one, by the key it proved", async () => {
  using kit = new MeshKit();
  const [a, b, c] = [kit.node(1), kit.node(2), kit.node(3)];
  const { transport } = a;
  const nat = new NatService({
    clock: kit.clock,
    random: (length) => new Uint8Array(length),
    log: silentLog,
    metrics: createMetricRegistry(),
    mesh: { transport, findPeer: () => Promise.resolve(undefined), requireSealing: () => {} },
    // Nothing is announced: what was is forgotten with the session.
    capabilities: { contribute: () => {}, get: () => undefined },
  }, { isOn: false });
  await nat.start();
  for (const [from, to] of [[a, b], [a, c], [c, b]] as const) await kit.connect(from, to);
  const hosts = [a.address.host, b.address.host];
  kit.network.filter = (_, from, to) => !(hosts.includes(from.host) && hosts.includes(to.host));
  const peerOf = () => transport.peer(b.nodeId);
  assert.ok(await kit.clock.advanceUntil(() => peerOf()?.state === "failed", 120_000));
  assert.ok(await kit.clock.advanceUntil(() => nat.mayReach(b.nodeId), 60_000));
  await kit.settle(nat.reach(b.nodeId));
  assert.deepEqual([peerOf()?.state, peerOf()?.isRelayed, peerOf()?.isSealed], [
    "connected",
    true,
    true,
  ]);
  await nat.stop();
});
