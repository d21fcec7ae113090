import assert from "node:assert/strict";
import { idToHex } from "../../../src/base/mod.ts";
import type { CallContext, Method } from "../../../src/control/method.ts";
import { natMethods } from "../../../src/control/node/nat_methods.ts";
import { RoundTrips } from "../../../src/control/node/ping.ts";
import type { ReachView } from "../../../src/control/node/reach.ts";
import {
  type ConnectDirectOptions,
  type DialTarget,
  formatAddress,
  type PathReport,
} from "../../../src/core/transport/mod.ts";
import type { KnownAddress } from "../../../src/services/mod.ts";
import { type KitNode, MeshKit } from "../../sim/mesh_kit.ts";
import { callContext, viewOf } from "./_view.ts";

/** What a node is taken to know beside its transport. */
interface Told {
  readonly targets?: readonly DialTarget[];
  readonly addresses?: readonly KnownAddress[];
  /** What a search comes to. */
  readonly report?: PathReport;
  /** What an earlier one came to. */
  readonly kept?: PathReport;
}

class Calls {
  readonly searches: { readonly peer: bigint; readonly options: ConnectDirectOptions }[] = [];
  readonly #methods: readonly Method[];

  constructor(node: KitNode, { targets = [], addresses = [], report, kept }: Told = {}) {
    const view = viewOf(node, targets);
    const reach: ReachView = {
      mesh: { ...view.mesh, addressesOf: () => Promise.resolve(addresses) },
      nat: {
        ...view.nat,
        isOn: true,
        classification: "cone",
        reflexAddress: { host: "203.0.113.9", port: 7 },
        reflexOverride: undefined,
        announced: (nodeId) =>
          nodeId === report?.peer || nodeId === kept?.peer
            ? { natClass: "cone", reflex: { host: "198.51.100.3", port: 8 } }
            : { natClass: "unknown", reflex: undefined },
        connectDirect: (peer, options = {}) => {
          this.searches.push({ peer, options });
          return report === undefined
            ? Promise.reject(new Error("no search was expected"))
            : Promise.resolve(report);
        },
        lastReport: () => kept === undefined ? undefined : { report: kept, ageMs: 61_000 },
      },
      portMapping: {
        report: () => ({
          mode: "off",
          state: "off",
          external: null,
          protocol: null,
          gateway: null,
          lease_secs: null,
          renewals: 0,
          attempts: [],
        }),
      },
    };
    this.#methods = natMethods(reach);
  }

  // deno-lint-ignore no-explicit-any -- answers are plain JSON that the test looks into
  async call(name: string, params: object, context: CallContext = callContext()): Promise<any> {
    const method = this.#methods.find((one) => one.name === name);
    return await method?.call({ ...params }, context);
  }
}

function report(peer: bigint, via: bigint, outcome: PathReport["outcome"]): PathReport {
  return {
    peer,
    outcome,
    ownClass: "cone",
    peerClass: "cone",
    action: "punch",
    attempts: [
      {
        kind: "punch",
        outcome: "failed",
        address: undefined,
        via,
        ms: 12,
        reason: "no hole opened",
        error: "punch-failed",
      },
      {
        kind: "relay",
        outcome: "connected",
        address: { host: "192.0.2.1", port: 9 },
        via,
        ms: 3,
        reason: "it answered through the relay",
        error: undefined,
      },
    ],
  };
}

Deno.test("node.ping counts round trips and sums them up", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  const context = callContext();
  const calls = new Calls(a);
  const id = idToHex(b.nodeId);
  const params = { peer: id.slice(0, 6), count: 1 };
  const pinged = await kit.settle(calls.call("node.ping", params, context));
  const way = {
    node_id: id,
    address: formatAddress(b.address),
    relayed: false,
    relay: null,
    trust: "proven",
  };
  const sums = { sent: 1, received: 1, loss: 0, rtt_ms: { min: 1, avg: 1, max: 1, mdev: 0 } };
  assert.deepEqual(pinged, { ...way, ...sums });
  assert.deepEqual(context.told, [{ seq: 1, ...way, ...sums, this_ms: 1 }]);
});

Deno.test("node.ping counts what nobody answered, and names the relay", async () => {
  using kit = new MeshKit();
  const [a, relay, b] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, relay);
  await kit.connect(b, relay);
  await kit.connect(a, b, relay);
  kit.network.filter = () => false;
  const calls = new Calls(a);
  const params = { peer: idToHex(b.nodeId), count: 1 };
  const pinged = await kit.settle(calls.call("node.ping", params));
  assert.deepEqual([pinged.sent, pinged.received, pinged.loss, pinged.rtt_ms], [1, 0, 1, null]);
  assert.deepEqual([pinged.relayed, pinged.relay], [true, idToHex(relay.nodeId)]);
});

Deno.test("node.ping needs a session", async () => {
  using kit = new MeshKit();
  const a = kit.node(1);
  const id = idToHex(0xabn);
  await assert.rejects(new Calls(a).call("node.ping", { peer: id }), {
    code: "unreachable",
    exitCode: 6,
    next: new RegExp(`net node connect ${id}`),
  });
});

Deno.test("RoundTrips gives minimum, average, maximum and mean deviation", () => {
  const trips = new RoundTrips();
  assert.deepEqual(trips.summary(), { sent: 0, received: 0, loss: 0, rtt_ms: null });
  for (const ms of [1, 3, undefined, 2]) trips.add(ms);
  assert.deepEqual(trips.summary(), {
    sent: 4,
    received: 3,
    loss: 0.25,
    rtt_ms: { min: 1, avg: 2, max: 3, mdev: 0.816 },
  });
});

Deno.test("node.connect tells every way that was tried", async () => {
  using kit = new MeshKit();
  const a = kit.node(1);
  const calls = new Calls(a, { report: report(0xabn, 0xbbn, "relayed") });
  const connected = await calls.call("node.connect", { peer: idToHex(0xabn), timeout_ms: 500 });
  assert.deepEqual(connected, {
    node_id: "00000000000000ab",
    outcome: "relayed",
    nat: { own: "cone", peer: "cone", action: "punch" },
    paths: [
      {
        kind: "punch",
        outcome: "failed",
        address: null,
        via: "00000000000000bb",
        ms: 12,
        reason: "no hole opened",
        error: "punch-failed",
      },
      {
        kind: "relay",
        outcome: "connected",
        address: "192.0.2.1:9",
        via: "00000000000000bb",
        ms: 3,
        reason: "it answered through the relay",
        error: null,
      },
    ],
  });
  assert.equal(calls.searches[0]?.options.timeoutMs, 500);
});

Deno.test("node.connect takes an address and a key with the id", async () => {
  using kit = new MeshKit();
  const calls = new Calls(kit.node(1), { report: report(0xabn, 0xbbn, "direct") });
  const key = "07".repeat(32);
  await calls.call("node.connect", { peer: `192.0.2.7:44#00000000000000ab#${key}` });
  const { peer, options } = calls.searches[0] ?? assert.fail();
  assert.equal(peer, 0xabn);
  assert.deepEqual(options.addresses, [{ host: "192.0.2.7", port: 44 }]);
  assert.equal(options.noisePublicKey?.toHex(), key);
  await assert.rejects(calls.call("node.connect", { peer: "192.0.2.7:44#ab#07" }), {
    code: "usage",
    next: /noise_public_key/,
  });
});

Deno.test("node.reach looks no further where there is a direct session", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  const here = { address: b.address, source: "ticket" } as const;
  const there = { address: { host: "198.51.100.1", port: 5 }, source: "pin" } as const;
  const calls = new Calls(a, { addresses: [here, there] });
  const reached = await calls.call("node.reach", { peer: idToHex(b.nodeId) });
  assert.deepEqual(calls.searches, []);
  assert.deepEqual(reached.addresses, [
    { address: formatAddress(b.address), sources: ["session", "ticket"] },
    { address: "198.51.100.1:5", sources: ["pin"] },
  ]);
  const { state, relayed, trust, initiator } = reached.session;
  assert.deepEqual([state, relayed, trust, initiator], ["connected", false, "proven", true]);
  assert.deepEqual([reached.paths, reached.tried_ago_ms, reached.next], [[], null, []]);
});

Deno.test("node.reach tries the ways to a relayed peer, and says what came of them", async () => {
  using kit = new MeshKit();
  const [a, relay, b] = [kit.node(1), kit.node(2), kit.node(3)];
  await kit.connect(a, relay);
  await kit.connect(b, relay);
  await kit.connect(a, b, relay);
  const [id, relayId] = [idToHex(b.nodeId), idToHex(relay.nodeId)];
  const calls = new Calls(a, { report: report(b.nodeId, relay.nodeId, "relayed") });
  const reached = await calls.call("node.reach", { peer: id });
  assert.equal(calls.searches.length, 1);
  assert.equal(reached.session.relay, relayId);
  assert.deepEqual([reached.coordinator, reached.relay], [relayId, relayId]);
  assert.deepEqual(reached.nat, {
    enabled: true,
    own: "cone",
    own_reflex: "203.0.113.9:7",
    own_stated_by: null,
    peer: "cone",
    peer_reflex: "198.51.100.3:8",
    action: "punch",
  });
  assert.deepEqual(reached.addresses, [{ address: "198.51.100.3:8", sources: ["announced"] }]);
  assert.deepEqual([reached.paths.length, reached.tried_ago_ms], [2, 0]);
  assert.match(reached.next[0], /the punch failed/);
});

Deno.test("node.reach without trying tells of the search before", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  const target = {
    nodeId: b.nodeId,
    noisePublicKey: new Uint8Array(32),
    addresses: [],
    forms: ["routed" as const],
  };
  const calls = new Calls(a, { targets: [target], kept: report(b.nodeId, 0xbbn, "none") });
  const reached = await calls.call("node.reach", { peer: idToHex(b.nodeId), try: false });
  assert.deepEqual([reached.session, reached.tried_ago_ms], [null, 61_000]);
  assert.equal(reached.paths[0].error, "punch-failed");
});

Deno.test("node.reach refuses this node itself, and nodes that nothing is known of", async () => {
  using kit = new MeshKit();
  const a = kit.node(1);
  const calls = new Calls(a);
  await assert.rejects(calls.call("node.reach", { peer: idToHex(a.nodeId) }), { code: "usage" });
  await assert.rejects(calls.call("node.reach", { peer: idToHex(0xabn) }), {
    code: "not_found",
    exitCode: 4,
  });
});
