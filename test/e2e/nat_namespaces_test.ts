/**
 * Nodes behind real NATs: network namespaces with masquerading routers, and the program itself in them.
 *
 * One pair punches through, one pair can't and stays with its relay; both carry a payload.
 */
import assert from "node:assert/strict";
import {
  equalFiles,
  makeWorkspace,
  patternBytes,
  type TestNode,
  ticketOf,
  untilConnected,
  type Workspace,
} from "./harness.ts";
import { missingForNamespaces, NamespaceNet, publicHost } from "./nat_namespaces.ts";

type Row = Record<string, unknown>;

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
  await Deno.writeFile(source, patternBytes(300_000, seed));
  const { address } = await from.home.json(["blob", "put", source]);
  await to.home.json(["blob", "get", String(address), copy]);
  assert.ok(await equalFiles(source, copy));
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
      const row = await peerRow(bobSymmetric, adaSymmetric);
      assert.deepEqual([row?.relayed, row?.trust], [true, "proven"]);
      await carries(workspace, adaSymmetric, bobSymmetric, 1);
    });
  },
});
