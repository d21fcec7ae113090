/** The hash ring against the one inside of the Rust core. */
import assert from "node:assert/strict";
import { LoadBalancer } from "../../src/core/capability/mod.ts";
import { startBalancerPeer } from "./balancer_peer.ts";
import { rustPeerTest } from "./rust_peer.ts";

const MEMBERS = 4;

rustPeerTest("select() by key picks what the core's balancer picks", async () => {
  await using peer = startBalancerPeer();
  for (const seed of [1, 2]) {
    const { group, members } = await peer.call("spawn", {
      members: MEMBERS,
      seed: new Uint8Array(32).fill(seed),
      strategy: "consistent-hash",
    });
    const balancer = new LoadBalancer(
      { clock: { now: () => 0 }, random: () => 0 },
      { strategy: "consistent_hash" },
    );
    for (const { originHash, entityId } of members) {
      balancer.add({ nodeId: originHash, ringId: entityId, health: "healthy" });
    }
    const keys = Array.from({ length: 500 }, (_, i) => `${i * 7_919} key ${"é".repeat(i % 3)}`);
    const picked = await peer.call("route", { group, keys });
    assert.ok(new Set(picked).size > 1);
    keys.forEach((routingKey, i) => {
      const selection = balancer.select({ routingKey });
      assert.ok(selection.ok);
      assert.equal(selection.lease.nodeId, picked[i], routingKey);
      selection.lease.abandon();
    });
  }
});
