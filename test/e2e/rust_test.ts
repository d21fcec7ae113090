/** A node of ours and a live Rust node: brought in by `--peer` and `--expect`, blobs both ways. */
import assert from "node:assert/strict";
import { equalBytes, idToHex, parseId } from "../../src/base/mod.ts";
import { holderTag } from "../../src/blob/mod.ts";
import { type RustNode, rustPeerTest, startRustPeer } from "../interop/rust_peer.ts";
import { fillPattern } from "../interop/rust_protocol.ts";
import { makeWorkspace, type TestNode, ticketOf, waitFor, type Workspace } from "./harness.ts";
import { describe } from "./program.ts";

const MIB = 1024 * 1024;
const PSK = new Uint8Array(32).fill(0x3c);
const UDP = ["--udp", "127.0.0.1:0"];

rustPeerTest("node start --peer brings a Rust node in, and blobs go both ways", async (t) => {
  await using workspace = await makeWorkspace();
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK });
  await rust.call("start", {});
  const store = await peer.call("openStore", {});
  await rust.call("serve", { store });
  const spec = `${rust.address}#${idToHex(rust.nodeId)}#${rust.publicKey.toHex()}`;
  const flags = [...UDP, "--peer", spec, "--psk-file", await pskFile(workspace)];
  const node = await workspace.startNode({ flags });
  await untilPeer(node, rust);
  const nodeId = parseId(String((await node.status()).node_id));
  assert.ok(nodeId !== undefined);

  for (const [seed, sizeBytes] of [1, 100_000, 4 * MIB, 9 * MIB + 1].entries()) {
    await t.step(`the Rust node's blob of ${sizeBytes} bytes`, async () => {
      const held = await peer.call("put", { store, source: { sizeBytes, seed } });
      const output = `${workspace.dir}/from-rust-${seed}`;
      const target = sizeBytes <= 4 * MIB && seed % 2 === 1
        ? `b3:${held.hash.toHex()}`
        : held.ref.toHex();
      const get = await node.home.net(["blob", "get", target, output]);
      assert.equal(get.code, 0, describe(get));
      const expected = new Uint8Array(sizeBytes);
      fillPattern(expected, seed);
      assert.ok(equalBytes(await Deno.readFile(output), expected), "the bytes are the same");
    });
    await t.step(`our blob of ${sizeBytes} bytes`, async () => {
      const source = `${workspace.dir}/to-rust-${seed}`;
      const bytes = new Uint8Array(sizeBytes);
      fillPattern(bytes, seed + 100);
      await Deno.writeFile(source, bytes);
      const put = await node.home.json(["blob", "put", source]);
      const ref = Uint8Array.fromHex(String(put.blob_ref));
      const fetched = await rust.call("fetch", { peer: nodeId, ref });
      assert.equal(`b3:${fetched.hash.toHex()}`, put.address);
      assert.equal(fetched.sizeBytes, sizeBytes);
    });
  }
});

rustPeerTest(
  "a Rust node counts as a copy when it announces a blob and gives every byte",
  async () => {
    await using workspace = await makeWorkspace();
    await using peer = await startRustPeer();
    const rust = await peer.createNode({ psk: PSK });
    await rust.call("start", {});
    const store = await peer.call("openStore", {});
    await rust.call("serve", { store });
    const spec = `${rust.address}#${idToHex(rust.nodeId)}#${rust.publicKey.toHex()}`;
    const flags = [...UDP, "--peer", spec, "--psk-file", await pskFile(workspace)];
    const node = await workspace.startNode({ flags });
    const { home } = node;
    // It announces once to those it has a session with, and not again for minutes.
    await untilPeer(node, rust);
    const bytes = new Uint8Array(100_000);
    fillPattern(bytes, 7);
    const put = await home.json(["blob", "put", "-"], { stdin: bytes });
    const address = String(put.address);
    // It holds the same bytes, and says so as its replication of the chunk's channel does.
    await peer.call("put", { store, source: { sizeBytes: bytes.length, seed: 7 } });
    const tag = `${holderTag(Uint8Array.fromHex(address.slice(3)))}:0`;
    await rust.call("announce", { capabilities: { tags: [tag] } });
    const rustId = idToHex(rust.nodeId);
    await waitFor("it is known as a holder", async () => {
      const { holders } = await home.json(["blob", "holders", address]);
      return (holders as { node: string; announced: boolean }[]).some(({ node, announced }) =>
        node === rustId && announced
      );
    });
    const asked = ["blob", "replicate", address, "--copies", "1", "--wait", "20s"];
    const receipt = await home.json(asked);
    assert.deepEqual([receipt.reached, receipt.holders], [true, [rustId]]);
  },
);

rustPeerTest("node start --expect lets a Rust node connect directly", async () => {
  await using workspace = await makeWorkspace();
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK });
  const flags = [...UDP, "--expect", idToHex(rust.nodeId), "--psk-file", await pskFile(workspace)];
  const node = await workspace.startNode({ flags });
  const { udp, node_id, noise_public_key } = await node.status();
  await rust.call("connect", {
    address: String((udp as readonly string[])[0]),
    publicKey: Uint8Array.fromHex(String(noise_public_key)),
    peer: parseId(String(node_id)) ?? 0n,
  });
  await rust.call("start", {});
  await untilPeer(node, rust);
});

rustPeerTest("a session with a Rust node through a relay says who can read it", async () => {
  await using workspace = await makeWorkspace();
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK });
  await rust.call("start", {});
  const rustId = idToHex(rust.nodeId);
  const psk = ["--psk-file", await pskFile(workspace)];
  const key = rust.publicKey.toHex();
  const flags = [...UDP, ...psk, "--peer", `${rust.address}#${rustId}#${key}`];
  const relay = await workspace.startNode({ flags });
  await untilPeer(relay, rust);
  const { udp } = await relay.status();
  // Its only address of the Rust node is the relay's.
  const through = `${(udp as readonly string[])[0]}#${rustId}#${key}`;
  const stdin = await ticketOf(relay);
  const node = await workspace.startNode({
    flags: [...UDP, "--join", "-", "--peer", through],
    stdin,
  });
  const { home } = node;
  await waitFor("the Rust node is a relayed peer", async () => {
    const { peers } = await home.json(["node", "peers"]);
    return (peers as readonly Record<string, unknown>[]).some(({ node_id, state, relayed }) =>
      node_id === rustId && state === "connected" && relayed === true
    );
  });
  const { stdout } = await home.net(["node", "peers"]);
  assert.match(stdout, new RegExp(`^${rustId} .* relayed +unproven `, "m"));
  const note = `^${rustId}: not sealed: its relay and members of the mesh can read it$`;
  assert.match(stdout, new RegExp(note, "m"));
  const examined = await home.net(["doctor", "--peer", rustId]);
  assert.equal(examined.code, 1, describe(examined));
  assert.match(
    examined.stdout,
    /^readable by +the relay, and members of the mesh .*: it is not sealed$/m,
  );
  assert.match(examined.stdout, /^next: the session is not sealed: /m);
});

async function untilPeer(node: TestNode, rust: RustNode): Promise<void> {
  await waitFor("the Rust node is a peer", async () => {
    const peers = (await node.status()).peers as readonly Record<string, unknown>[];
    return peers.some((peer) =>
      peer.node_id === idToHex(rust.nodeId) && peer.state === "connected"
    );
  });
  assert.equal((await rust.call("counts", {})).peers, 1);
}

async function pskFile(workspace: Workspace): Promise<string> {
  const path = `${workspace.dir}/psk`;
  await Deno.writeTextFile(path, `${PSK.toHex()}\n`, { mode: 0o600 });
  return path;
}
