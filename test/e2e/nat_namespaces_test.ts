/**
 * Nodes behind real NATs: network namespaces with masquerading routers, and the program itself in them.
 *
 * One pair punches through, one pair can't and stays with its relay, and one node has its router open a
 * port; all of them carry a payload.
 */
import assert from "node:assert/strict";
import {
  equalFiles,
  makeWorkspace,
  patternBytes,
  type TestNode,
  ticketOf,
  untilConnected,
  waitFor,
  type Workspace,
} from "./harness.ts";
import {
  type HomeNetwork,
  missingForNamespaces,
  NamespaceNet,
  publicHost,
} from "./nat_namespaces.ts";

type Row = Record<string, unknown>;

const BLOB_BYTES = 300_000;
/** A packet holds 8,108 bytes at most. */
const BLOB_PACKETS = Math.floor(BLOB_BYTES / 8_108);

const missing = await missingForNamespaces();
if (missing !== undefined) console.log(`NAT with network namespaces is not tested: ${missing}`);

/** `ADDR#NODEID#NOISEKEY` of a node that is reached at `address`. */
async function peerFlag(node: TestNode, address: string): Promise<string> {
  const { node_id, noise_public_key } = await node.status();
  return `${address}#${node_id}#${noise_public_key}`;
}

/** The row of a peer in `net node peers`. */
async function peerRow(node: TestNode, peer: TestNode): Promise<Row | undefined> {
  const { node_id } = await peer.status();
  const { peers } = await node.home.json(["node", "peers"]);
  return (peers as Row[]).find((row) => row.node_id === node_id);
}

/** A blob put at one node and fetched at another one. */
async function carries(workspace: Workspace, from: TestNode, to: TestNode, seed: number) {
  const [source, copy] = [`${workspace.dir}/source-${seed}`, `${workspace.dir}/copy-${seed}`];
  await Deno.writeFile(source, patternBytes(BLOB_BYTES, seed));
  const { address } = await from.home.json(["blob", "put", source]);
  await to.home.json(["blob", "get", String(address), copy]);
  assert.ok(await equalFiles(source, copy));
}

/** Waits until both nodes know what they are behind, and of each other what the other one is behind. */
async function untilClassified(left: TestNode, right: TestNode, natClass: string): Promise<void> {
  for (const [node, other] of [[left, right], [right, left]] as const) {
    const { node_id } = await other.status();
    await waitFor(`both know that they are behind ${natClass} NATs`, async () => {
      const { nat } = await node.call("node.reach", { peer: node_id, try: false });
      return (nat as Row).own === natClass && (nat as Row).peer === natClass;
    });
  }
}

/** What `net doctor --peer` says. */
async function examine(node: TestNode, peer: TestNode) {
  const { node_id } = await peer.status();
  const { code, stdout } = await node.home.net(["doctor", "--peer", String(node_id), "--json"]);
  return { code, result: JSON.parse(stdout) as Row };
}

/** Packets that both public nodes relayed so far. */
async function relayedPackets(nodes: readonly TestNode[]): Promise<number> {
  let packets = 0;
  for (const node of nodes) {
    const { counters } = await node.call("node.counters");
    packets += Number((counters as Row).net_transport_relayed_packets_total);
  }
  return packets;
}

/** A router that gives ports out. */
async function startRouter(net: NamespaceNet, home: HomeNetwork, protocol: "nat-pmp" | "upnp") {
  const [command = "", ...through] = net.through(home.router);
  const script = new URL(`./${protocol.replace("-", "_")}_router.ts`, import.meta.url).pathname;
  const child = new Deno.Command(command, {
    args: [...through, Deno.execPath(), "run", "-A", "--no-check", script, home.gateway]
      .concat(home.address),
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let said = "";
  const reading = (async () => {
    for await (const part of child.stdout) said += new TextDecoder().decode(part);
  })();
  await waitFor("the router listens", () => said.includes("ready"));
  return {
    said: () => said,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.status;
      await reading;
    },
  };
}

Deno.test({
  name: `pairs of nodes behind NATs${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  ignore: missing !== undefined,
  fn: async (t) => {
    await using net = await NamespaceNet.create([1, 2]);
    await using workspace = await makeWorkspace();
    const ada = await net.addHome(11, ["cone", "symmetric"]);
    const bob = await net.addHome(12, ["cone", "symmetric"]);
    const start = (namespace: string, flags: readonly string[], stdin?: string) =>
      workspace.startNode({ flags, stdin, through: net.through(namespace) });

    const hubAddress = `${publicHost(1)}:4001`;
    const hub = await start(net.hub, ["--udp", hubAddress]);
    const join = ["--join", "-"];
    const ticket = await ticketOf(hub);
    // Two nodes that see somebody tell a NAT's kind.
    const otherAddress = `${publicHost(2)}:4002`;
    const other = await start(net.hub, ["--udp", otherAddress, ...join], ticket);
    const common = [...join, "--peer", await peerFlag(other, otherAddress)];
    const home = (namespace: string, ...more: readonly string[]) =>
      start(namespace, [...common, ...more], ticket);
    const [adaCone, adaSymmetric] = await Promise.all(
      ada.hosts.map(({ namespace }) => home(namespace)),
    );
    assert.ok(adaCone !== undefined && adaSymmetric !== undefined);
    const [bobCone, bobSymmetric] = await Promise.all(
      bob.hosts.map(async ({ namespace }, i) => {
        const peer = i === 0 ? adaCone : adaSymmetric;
        return await home(namespace, "--peer", await peerFlag(peer, hubAddress));
      }),
    );
    assert.ok(bobCone !== undefined && bobSymmetric !== undefined);

    await t.step("routers hide their hosts behind their own address", async () => {
      await untilConnected(hub, adaCone);
      const row = await peerRow(hub, adaCone);
      assert.match(String(row?.address), new RegExp(`^${ada.address}:`));
    });

    await t.step("a pair that can't punch stays with its relay, which carries", async () => {
      await untilConnected(adaSymmetric, bobSymmetric);
      await untilClassified(adaSymmetric, bobSymmetric, "symmetric");
      const { code, result } = await examine(bobSymmetric, adaSymmetric);
      assert.equal(code, 1);
      assert.equal((result.nat as Row).action, "relay");
      assert.match(String((result.next as string[])[0]), /no punch gets through/);
      const punch = (result.paths as Row[]).find(({ kind }) => kind === "punch");
      assert.deepEqual([punch?.outcome, punch?.error], ["skipped", "unsupported"]);
      const hubId = String((await hub.status()).node_id);
      assert.equal((result.session as Row).relay, hubId);
      const row = await peerRow(bobSymmetric, adaSymmetric);
      assert.deepEqual([row?.relayed, row?.trust], [true, "proven"]);
      const before = await relayedPackets([hub, other]);
      await carries(workspace, adaSymmetric, bobSymmetric, 1);
      assert.ok(await relayedPackets([hub, other]) - before > BLOB_PACKETS);
    });

    await t.step("a pair that can punch does, and carries", async () => {
      await untilConnected(adaCone, bobCone);
      await untilClassified(adaCone, bobCone, "cone");
      const adaId = String((await adaCone.status()).node_id);
      const connected = await bobCone.home.json(["node", "connect", adaId]);
      assert.equal(connected.outcome, "direct");
      for (
        const [node, peer, home] of [[bobCone, adaCone, ada], [adaCone, bobCone, bob]] as const
      ) {
        const row = await peerRow(node, peer);
        assert.deepEqual([row?.relayed, row?.trust, row?.state], [false, "proven", "connected"]);
        // Where the other router sends from: no relay stands in between.
        assert.match(String(row?.address), new RegExp(`^${home.address}:`));
      }
      const before = await relayedPackets([hub, other]);
      await carries(workspace, adaCone, bobCone, 2);
      assert.ok(await relayedPackets([hub, other]) - before < BLOB_PACKETS);
      const pinged = await bobCone.home.json(["node", "ping", adaId, "-c", "3", "-i", "20ms"]);
      assert.deepEqual([pinged.received, pinged.relayed], [3, false]);
      // One of the two asked for the introduction, by itself or as it was told.
      const examined = [await examine(bobCone, adaCone), await examine(adaCone, bobCone)];
      for (const { code, result } of examined) {
        assert.deepEqual([code, (result.nat as Row).action], [0, "punch"]);
      }
      const punches = examined.flatMap(({ result }) => result.paths as Row[]).filter((path) =>
        path.kind === "punch" && path.outcome === "connected"
      );
      assert.ok(punches.length >= 1, JSON.stringify(examined));
    });

    const mapped = async (number: number, protocol: "nat-pmp" | "upnp") => {
      const cyd = await net.addHome(number, ["symmetric"]);
      await using router = await startRouter(net, cyd, protocol);
      const [{ namespace } = assert.fail()] = cyd.hosts;
      const node = await home(namespace, "--port-map", "on");
      const port = await waitFor("the router gave a port", async () => {
        const { counters } = await node.call("node.counters");
        const given = /^gave ([0-9]+) to /m.exec(router.said())?.[1];
        return (counters as Row).net_port_mapping_active === 1 && given;
      });
      const external = `${cyd.address}:${port}`;
      const { node_id } = await node.status();
      // Behind the worst of NATs it is dialled as if it were in the open.
      const flag = await peerFlag(node, external);
      const connected = await bobSymmetric.home.json(["node", "connect", flag]);
      assert.equal(connected.outcome, "direct", JSON.stringify(connected));
      const row = await peerRow(bobSymmetric, node);
      assert.deepEqual([row?.address, row?.relayed], [external, false]);
      await carries(workspace, node, bobSymmetric, number);
      await waitFor("its announcement says that the port is open", async () => {
        const params = { peer: node_id, try: false };
        const { nat } = await bobSymmetric.call("node.reach", params);
        return (nat as Row).peer === "open" && (nat as Row).peer_reflex === external;
      });
      const bobId = String((await bobSymmetric.status()).node_id);
      const { stdout } = await node.home.net(["doctor", "--peer", bobId]);
      assert.match(
        stdout,
        new RegExp(`^own port +${external} at the router ${cyd.gateway}, by ${protocol}$`, "m"),
      );
      await node.kill("SIGTERM");
      await waitFor("the router took it back", () => router.said().includes(`took ${port} back`));
    };

    await t.step(
      "a port that the router gives by NAT-PMP leads in, until the node stops",
      () => mapped(13, "nat-pmp"),
    );
    await t.step(
      "a port that the router gives by UPnP leads in, until the node stops",
      () => mapped(14, "upnp"),
    );
  },
});
