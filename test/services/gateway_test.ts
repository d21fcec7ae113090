/** Whole nodes in two subnets with a gateway between them, over real sockets on loopback. */
import assert from "node:assert/strict";
import { createChannelConfig } from "../../src/channel/mod.ts";
import { type Layer, loadNodeConfig } from "../../src/config/mod.ts";
import { deriveChannelHash } from "../../src/core/crypto/mod.ts";
import { parseSubnetId } from "../../src/base/mod.ts";
import { createNode, type Node } from "../../src/node.ts";
import { silentLog } from "../../src/observe/mod.ts";
import type { ChannelSubscription } from "../../src/services/mod.ts";
import { until } from "./capabilities/capability_kit.ts";

const RULES = ["region:=0:eu=1,us=2", "site:=1:lab=2"];
const SECRET_FILE = "psk";
const NAMES = ["room/out", "room/local", "room/up"] as const;

const at = (text: string) => parseSubnetId(text) ?? NaN;

class Nodes implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync();
  readonly #nodes: Node[] = [];

  constructor() {
    Deno.writeFileSync(`${this.#folder}/${SECRET_FILE}`, new Uint8Array(32).fill(9));
  }

  async start(flags: Layer): Promise<Node> {
    const config = loadNodeConfig({
      flags: {
        udp: "127.0.0.1:0",
        amnesia: true,
        pskFile: `${this.#folder}/${SECRET_FILE}`,
        subnetRule: RULES,
        heartbeat: "200ms",
        sessionTimeout: "2s",
        ...flags,
      },
      env: {},
      cwd: "/",
    });
    const node = createNode(config, { log: silentLog });
    this.#nodes.push(node);
    await node.start();
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes.toReversed()) await node.stop("test is over");
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** How `--peer` names a node that is reached at another one's address. */
function peerAt(node: Node, through: Node): string {
  const { identity, noise } = node.keys;
  const id = identity.nodeId.toString(16).padStart(16, "0");
  return `${through.mesh.addressTexts()[0]}#${id}#${noise.publicKey.toHex()}`;
}

/** Reads a subscription in the background. */
function collect(subscription: ChannelSubscription): string[] {
  const texts: string[] = [];
  void (async () => {
    for (let event; (event = await subscription.next()) !== undefined;) {
      texts.push(new TextDecoder().decode(event.bytes));
    }
  })();
  return texts;
}

Deno.test("a node started as gateway decides what crosses, as its export table changes", async () => {
  await using nodes = new Nodes();
  const hub = await nodes.start({ gateway: true, subnet: "global" });
  const join = peerAt(hub, hub);
  const inner = await nodes.start({ peer: [join], tag: ["region:eu", "site:lab"] });
  assert.equal(inner.subnets.local, at("1.2"));
  const outer = await nodes.start({ peer: [join, peerAt(inner, hub)], tag: ["region:us"] });
  const outerId = outer.keys.identity.nodeId;
  await until(
    "all of them know each other",
    () =>
      inner.subnets.subnetOf(outerId) === at("2") && hub.subnets.subnetOf(outerId) === at("2") &&
      hub.subnets.subnetOf(inner.keys.identity.nodeId) === at("1.2") &&
      inner.mesh.transport.peer(outerId)?.isRelayed === true,
  );

  for (const node of [inner, hub]) {
    for (
      const [name, visibility] of [
        ["room/out", "exported"],
        ["room/local", "subnet-local"],
        ["room/up", "global"],
      ] as const
    ) await node.channels.create(createChannelConfig(name, { visibility }));
  }
  const hash = deriveChannelHash("room/out");
  const row = { hash, name: "room/out", target: at("2") };
  await inner.subnets.addExport(row);
  await hub.subnets.addExport(row);

  const received = new Map(
    NAMES.map((name) => [name, collect(outer.channels.subscribe(name))]),
  );
  const publish = async (text: string) => {
    for (const name of NAMES) await inner.channels.publish(name, [new TextEncoder().encode(text)]);
  };
  let count = 0;
  await until("what is exported arrives", () => {
    void publish(`${count++}`);
    return (received.get("room/out")?.length ?? 0) > 0 &&
      (received.get("room/up")?.length ?? 0) > 0;
  });
  assert.deepEqual(received.get("room/local"), [], "refused by the publisher itself");
  const { gateway } = hub.subnets;
  assert.ok(gateway !== undefined && gateway.counters.forwarded_total > 0);
  assert.equal(gateway.droppedTotal, 0);

  // The publisher still exports it; the gateway alone says no.
  await hub.subnets.removeExport(hash);
  await publish("last");
  await until("it is kept in", () => gateway.counters.drop_not_exported_total > 0);
  await until("others still cross", () => received.get("room/up")?.includes("last") === true);
  assert.ok(!received.get("room/out")?.includes("last"));
  assert.ok((hub.counters().net_gateway_drop_not_exported_total ?? 0) > 0);
  assert.ok((hub.counters().net_transport_drop_relay_gate_total ?? 0) > 0);
});
