/** Trees between a node of ours and a live Rust node: chunks and nodes of them travel like any others. */
import assert from "node:assert/strict";
import { equalBytes, idToHex, parseId } from "../../src/base/mod.ts";
import { dataChunks, decodeBlobRef, decodeTreeNode, encodeBlobRef } from "../../src/blob/mod.ts";
import { readTreeByRust } from "../interop/read_tree_by_rust.ts";
import { type RustNode, rustPeerTest, startRustPeer } from "../interop/rust_peer.ts";
import { fillPattern } from "../interop/rust_protocol.ts";
import { makeWorkspace, waitFor } from "./harness.ts";
import { describe } from "./program.ts";

const PSK = new Uint8Array(32).fill(0x3c);
const SIZE_BYTES = 21_000_001;

rustPeerTest("trees with and without parity go both ways with a Rust node", async (t) => {
  await using workspace = await makeWorkspace();
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK });
  await rust.call("start", {});
  const store = await peer.call("openStore", {});
  await rust.call("serve", { store });
  const psk = `${workspace.dir}/psk`;
  await Deno.writeTextFile(psk, `${PSK.toHex()}\n`, { mode: 0o600 });
  const spec = `${rust.address}#${idToHex(rust.nodeId)}#${rust.publicKey.toHex()}`;
  const flags = ["--udp", "127.0.0.1:0", "--peer", spec, "--psk-file", psk];
  const node = await workspace.startNode({ flags });
  await waitFor("the Rust node is a peer", async () => {
    const peers = (await node.status()).peers as readonly Record<string, unknown>[];
    return peers.some(({ node_id, state }) =>
      node_id === idToHex(rust.nodeId) && state === "connected"
    );
  });
  const nodeId = parseId(String((await node.status()).node_id));
  assert.ok(nodeId !== undefined);

  for (const [seed, code] of [undefined, { data: 2, parity: 1 }].entries()) {
    const name = code === undefined ? "replicated" : "coded";
    await t.step(`the Rust node's ${name} tree`, async () => {
      const source = { sizeBytes: SIZE_BYTES, seed };
      const held = await peer.call("putTree", { store, source, code });
      const output = `${workspace.dir}/from-rust-${seed}`;
      const get = await node.home.net(["blob", "get", held.ref.toHex(), output]);
      assert.equal(get.code, 0, describe(get));
      const expected = new Uint8Array(SIZE_BYTES);
      fillPattern(expected, seed);
      assert.ok(equalBytes(await Deno.readFile(output), expected), "the bytes are the same");
      const part = ["blob", "cat", held.ref.toHex(), "--range", "4194300-4194400"];
      const cat = await node.home.net(part);
      assert.ok(equalBytes(cat.stdoutBytes, expected.subarray(4_194_300, 4_194_401)));
    });
  }

  for (const [seed, form] of [["--cdc"], ["--ec", "3+2"], ["--cdc", "--ec", "2+1"]].entries()) {
    await t.step(`our tree with ${form.join(" ")}`, async () => {
      const source = `${workspace.dir}/to-rust-${seed}`;
      const bytes = new Uint8Array(SIZE_BYTES);
      fillPattern(bytes, seed + 100);
      await Deno.writeFile(source, bytes);
      const put = await node.home.json(["blob", "put", source, ...form]);
      const ref = Uint8Array.fromHex(String(put.blob_ref));
      const chunks = await fetchTree(rust, nodeId, ref);
      const read = await readTreeByRust({ ref, chunks });
      assert.equal(`b3:${read.hash}`, put.address);
    });
  }
});

/** Every node and data chunk of a tree, fetched from a node by the Rust core. */
async function fetchTree(rust: RustNode, peer: bigint, ref: Uint8Array): Promise<Uint8Array[]> {
  const decoded = decodeBlobRef(ref);
  assert.ok(decoded.ok && decoded.ref.kind === "tree");
  const chunks: Uint8Array[] = [];
  const fetch = async (hash: Uint8Array) => {
    const small = encodeBlobRef({ kind: "small", uri: "mesh://transfer", hash, size: 0 });
    const { bytes } = await rust.call("fetch", { peer, ref: small, wantBytes: true });
    assert.ok(bytes !== null);
    chunks.push(bytes);
    return bytes;
  };
  const waiting = [decoded.ref.rootHash];
  for (let hash = waiting.pop(); hash !== undefined; hash = waiting.pop()) {
    const node = decodeTreeNode(await fetch(hash));
    assert.ok(node.ok);
    if (node.node.kind === "internal") waiting.push(...node.node.children.map(({ hash }) => hash));
    const data = node.node.kind === "leaf"
      ? node.node.chunks
      : node.node.kind === "erasure_leaf"
      ? node.node.stripes.flatMap(dataChunks)
      : [];
    for (const chunk of data) await fetch(chunk.hash);
  }
  return chunks;
}
