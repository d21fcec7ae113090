/** Subnets with a gateway between them: whole transports in a simulated network. */
import assert from "node:assert/strict";
import { parseSubnetId } from "../../../src/base/mod.ts";
import {
  ExportTable,
  Gateway,
  SubnetAssignments,
  type Visibility,
} from "../../../src/channel/mod.ts";
import { channelPublishStreamId, deriveChannelHash } from "../../../src/core/crypto/mod.ts";
import type { SendStreamHandle } from "../../../src/core/transport/mod.ts";
import { type KitNode, MeshKit } from "../../sim/mesh_kit.ts";

const at = (text: string) => parseSubnetId(text) ?? NaN;
const POLICY = [
  { tagPrefix: "a:", level: 0, values: new Map([["1", 1], ["2", 2]]) },
  { tagPrefix: "b:", level: 1, values: new Map([["1", 1], ["2", 2]]) },
];
const CHANNELS: Readonly<Record<string, Visibility>> = {
  "in/local": "subnet-local",
  "in/up": "parent-visible",
  "in/out": "exported",
  "in/all": "global",
};
const PLAIN_STREAM = 77n;
const ROUTED_FIRST_BYTE = 0x52;
const HOP_COUNT_AT = 18 + 6;

/** A node at the edge: where it is, and what reached it. */
interface Edge {
  readonly node: KitNode;
  readonly received: string[];
}

class World implements Disposable {
  readonly kit = new MeshKit();
  readonly hub = this.kit.node(1);
  readonly exports = new ExportTable();
  readonly assignments = new SubnetAssignments(POLICY);
  readonly gateway = new Gateway({
    assignments: this.assignments,
    exports: this.exports,
    channels: () =>
      Object.entries(CHANNELS).map(([name, visibility]) => ({
        hash: deriveChannelHash(name),
        visibility,
      })),
  });
  readonly #edges = new Map<string, Edge>();
  readonly #streams = new Map<string, SendStreamHandle>();

  constructor() {
    this.hub.transport.setRelayGate(this.gateway);
  }

  /** A node in a subnet, connected to the gateway; what it announced there is known when it has tags. */
  async edge(name: string, number: number, subnet: string, tags?: readonly string[]) {
    const node = this.kit.node(number);
    node.transport.setSubnet(at(subnet));
    await this.kit.connect(node, this.hub);
    if (tags !== undefined) this.assignments.onDirectAnnouncement(node.nodeId, tags);
    this.#edges.set(name, { node, received: [] });
  }

  /** Opens a session between two of them, through the gateway. */
  async join(from: string, to: string, takesSubnetHeader = true) {
    const [source, target] = [this.#edge(from), this.#edge(to)];
    await this.kit.connect(source.node, target.node, this.hub);
    const features = { takesAckRanges: true, takesSubnetHeader };
    source.node.transport.setPeerFeatures(target.node.nodeId, features);
    for (const name of [...Object.keys(CHANNELS), "in/unknown"]) {
      this.#listen(target, source, channelPublishStreamId(deriveChannelHash(name)), name);
    }
    this.#listen(target, source, PLAIN_STREAM, "stream");
  }

  /** Sends one event on every channel and on a plain stream; what arrived, in the order of names. */
  async publish(from: string, to: string): Promise<readonly string[]> {
    const target = this.#edge(to);
    target.received.length = 0;
    for (const name of [...Object.keys(CHANNELS), "in/unknown", "stream"]) {
      assert.ok(this.#stream(from, to, name).trySend(Uint8Array.of(1)));
    }
    await this.kit.clock.advance(200);
    return target.received.toSorted();
  }

  [Symbol.dispose](): void {
    this.kit[Symbol.dispose]();
  }

  #edge(name: string): Edge {
    const edge = this.#edges.get(name);
    assert.ok(edge, name);
    return edge;
  }

  #listen({ node, received }: Edge, source: Edge, streamId: bigint, name: string): void {
    node.transport.openReceiveStream(source.node.nodeId, streamId, {
      onEvent: () => void received.push(name),
      onEnd: () => {},
    });
  }

  #stream(from: string, to: string, name: string): SendStreamHandle {
    const key = `${from} ${to} ${name}`;
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const hash = deriveChannelHash(name);
    const isChannel = name !== "stream";
    const streamId = isChannel ? channelPublishStreamId(hash) : PLAIN_STREAM;
    const channelHash = Number(hash & 0xffffn);
    const { transport } = this.#edge(from).node;
    const stream = transport.openSendStream(this.#edge(to).node.nodeId, streamId, {
      isReliable: false,
      label: isChannel ? { channelHash, priority: 0, originHash: 1n } : undefined,
    });
    this.#streams.set(key, stream);
    return stream;
  }
}

Deno.test("a gateway lets out of a subnet what may leave it, and counts the rest", async () => {
  using world = new World();
  await world.edge("inner", 2, "1.2", ["a:1", "b:2"]);
  await world.edge("parent", 3, "1", ["a:1"]);
  await world.edge("other", 4, "2.1", ["a:2", "b:1"]);
  await world.edge("neighbour", 5, "1.2", ["a:1", "b:2"]);
  await world.edge("stranger", 6, "2");
  for (const to of ["parent", "other", "neighbour", "stranger"]) await world.join("inner", to);
  await world.join("parent", "inner");

  const everything = ["in/all", "in/local", "in/out", "in/unknown", "in/up", "stream"];
  assert.deepEqual(await world.publish("inner", "neighbour"), everything, "within one subnet");
  assert.deepEqual(await world.publish("inner", "parent"), ["in/all", "in/up", "stream"]);
  assert.deepEqual(await world.publish("parent", "inner"), ["in/all", "stream"], "only upward");
  assert.deepEqual(await world.publish("inner", "other"), ["in/all", "stream"]);
  assert.deepEqual(await world.publish("inner", "stranger"), ["in/all", "stream"]);
  assert.deepEqual(world.gateway.counters, {
    forwarded_total: 5,
    drop_ttl_expired_total: 0,
    drop_subnet_local_total: 8,
    drop_not_ancestor_total: 2,
    drop_not_exported_total: 3,
    drop_unknown_subnet_total: 2,
  });
  assert.equal(world.hub.transport.counters.drop_relay_gate_total, world.gateway.droppedTotal);

  // Exported while the gateway runs, to what lies around the destination.
  world.exports.add({ hash: deriveChannelHash("in/out"), name: "in/out", target: at("2") });
  world.gateway.refresh();
  assert.deepEqual(await world.publish("inner", "other"), ["in/all", "in/out", "stream"]);
  assert.deepEqual(await world.publish("inner", "parent"), ["in/all", "in/up", "stream"]);
  world.exports.remove(deriveChannelHash("in/out"));
  world.gateway.refresh();
  assert.deepEqual(await world.publish("inner", "other"), ["in/all", "stream"]);
});

Deno.test("a gateway ends the way of a packet that passed too many others", async () => {
  using world = new World();
  await world.edge("inner", 2, "1.2", ["a:1", "b:2"]);
  await world.edge("other", 4, "2.1", ["a:2", "b:1"]);
  await world.join("inner", "other");
  let passed = 0;
  let arrivedWith: number | undefined;
  world.kit.network.filter = (bytes, from, to) => {
    if (bytes[0] !== ROUTED_FIRST_BYTE) return true;
    // As if so many gateways had been there before.
    if (to.host === "10.0.0.1") bytes[HOP_COUNT_AT] = passed;
    else if (from.host === "10.0.0.1" && to.host === "10.0.0.4") {
      arrivedWith = Math.max(arrivedWith ?? 0, bytes[HOP_COUNT_AT] ?? 0);
    }
    return true;
  };
  passed = 7;
  assert.deepEqual(await world.publish("inner", "other"), ["in/all", "stream"]);
  assert.equal(arrivedWith, 8, "the gateway itself is counted");
  passed = 8;
  assert.deepEqual(await world.publish("inner", "other"), ["stream"]);
  // All five channels: the hop limit comes before the reach.
  assert.equal(world.gateway.counters.drop_ttl_expired_total, 5);
});

Deno.test("a gateway takes the subnet of senders that set no header from what they announced", async () => {
  using world = new World();
  await world.edge("inner", 2, "1.2", ["a:1", "b:2"]);
  await world.edge("neighbour", 5, "1.2", ["a:1", "b:2"]);
  await world.edge("parent", 3, "1", ["a:1"]);
  for (const to of ["neighbour", "parent"]) await world.join("inner", to, false);
  const everything = ["in/all", "in/local", "in/out", "in/unknown", "in/up", "stream"];
  assert.deepEqual(await world.publish("inner", "neighbour"), everything);
  assert.deepEqual(await world.publish("inner", "parent"), ["in/all", "in/up", "stream"]);
});
