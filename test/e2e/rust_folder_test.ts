/** Folders between a node of ours and a live Rust node, both ways over the transfer protocol. */
import assert from "node:assert/strict";
import { idToHex, parseId } from "../../src/base/mod.ts";
import { rustPeerTest, startRustPeer } from "../interop/rust_peer.ts";
import { describeFolder, makeFolder } from "../blob/folder/folders.ts";
import { seededBytes } from "../blob/sources.ts";
import { makeWorkspace, waitFor } from "./harness.ts";
import { describe } from "./program.ts";

const MIB = 1024 * 1024;
const PSK = new Uint8Array(32).fill(0x3c);

rustPeerTest("folders go both ways between a node and a Rust node", async (t) => {
  await using workspace = await makeWorkspace();
  await using peer = await startRustPeer();
  const rust = await peer.createNode({ psk: PSK });
  await rust.call("start", {});
  const store = await peer.call("openStore", {});
  await rust.call("serve", { store });
  const pskFile = `${workspace.dir}/psk`;
  await Deno.writeTextFile(pskFile, PSK.toHex(), { mode: 0o600 });
  const spec = `${rust.address}#${idToHex(rust.nodeId)}#${rust.publicKey.toHex()}`;
  const flags = ["--udp", "127.0.0.1:0", "--peer", spec, "--psk-file", pskFile];
  const node = await workspace.startNode({ flags });
  await waitFor("the Rust node is a peer", async () => {
    const { peers } = await node.home.json(["node", "peers"]);
    return (peers as readonly Record<string, unknown>[]).some(({ node_id, state }) =>
      node_id === idToHex(rust.nodeId) && state === "connected"
    );
  });
  const nodeId = parseId(String((await node.status()).node_id));
  assert.ok(nodeId !== undefined);

  const folder = `${workspace.dir}/folder`;
  makeFolder(folder, {
    ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`many/${i % 3}/f${i}`, `${i}`])),
    "A.txt": "upper",
    "a.txt": "lower",
    "a!": "before the folder's content",
    "a/b": "content",
    "bin/run.sh": { text: "#!/bin/sh", mode: 0o755 },
    "private": { text: "p", mode: 0o600 },
    "big": seededBytes(9 * MIB + 1, 1),
    "middle": seededBytes(300_000, 2),
    "empty": "",
    "none": "DIR",
    "\u00e9/\u{1f600}": "beyond ASCII",
    "\uff5e": "and above it in UTF-16 only",
    "link": { link: "a.txt" },
    "bin/up": { link: "../big" },
    "dangling": { link: "nowhere" },
  });
  const expected = describeFolder(folder);
  const put = await node.home.json(["blob", "put", folder]);
  const ref = Uint8Array.fromHex(String(put.blob_ref));

  await t.step("the handle of the same folder is the same", async () => {
    const stored = await rust.call("putFolder", { store, folder });
    assert.equal(stored.ref.toHex(), ref.toHex());
  });
  await t.step("the Rust node fetches ours", async () => {
    const output = `${workspace.dir}/at-rust`;
    const fetched = await rust.call("fetchFolder", { peer: nodeId, ref, output });
    assert.equal(Number(fetched.files), put.files);
    assert.equal(Number(fetched.bytes), put.size);
    assert.deepEqual(describeFolder(output), expected);
  });
  await t.step("we fetch the Rust node's", async () => {
    // One that this node has nothing of.
    const other = `${workspace.dir}/other`;
    makeFolder(other, {
      "x/y": seededBytes(5 * MIB, 7),
      "x/z": { text: "z", mode: 0o700 },
      "l": { link: "x/z" },
      "\u00fc": "\u00fc",
    });
    const { ref } = await rust.call("putFolder", { store, folder: other });
    const output = `${workspace.dir}/from-rust`;
    const get = await node.home.net(["blob", "get", ref.toHex(), `${output}/`]);
    assert.equal(get.code, 0, describe(get));
    assert.deepEqual(describeFolder(output), describeFolder(other));
    const again = await node.home.net(["blob", "get", ref.toHex(), `${output}/`]);
    assert.equal(again.code, 1, describe(again));
    const { entries } = await node.home.json(["blob", "ls", `${ref.toHex()}/x`]);
    assert.deepEqual((entries as readonly { path: string }[]).map(({ path }) => path), [
      "x",
      "x/y",
      "x/z",
    ]);
    const one = await node.home.net(["blob", "get", `${ref.toHex()}/x/z`, `${workspace.dir}/z`]);
    assert.equal(one.code, 0, describe(one));
    assert.equal(await Deno.readTextFile(`${workspace.dir}/z`), "z");
  });
  await t.step("our own is known as a folder", async () => {
    const output = `${workspace.dir}/own`;
    const get = await node.home.net(["blob", "get", String(put.address), output]);
    assert.equal(get.code, 0, describe(get));
    assert.deepEqual(describeFolder(output), expected);
  });
});
