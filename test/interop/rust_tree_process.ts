/**
 * Reads a tree with the Rust core in a process of its own: `rust_tree_process.ts FILE`.
 *
 * FILE is JSON `{ ref, chunks }` in hex. All chunks are stored, the tree is read whole and then repaired;
 * one line of JSON says what came: the hash of the payload, and the counts of the repair.
 */
import { createRequire } from "node:module";
import { Buffer } from "node:buffer";
import { blake3 } from "hash-wasm";
import {
  RUST_PACKAGE,
  type RustAddon,
  type RustBlobAdapter,
  type RustBlobRef,
} from "./rust_addon.ts";

type TreeAdapter = RustBlobAdapter & {
  fetchRange(ref: RustBlobRef, start: bigint, end: bigint): Promise<Buffer>;
  repairBlob(ref: RustBlobRef): Promise<Readonly<Record<string, bigint>>>;
};

if (import.meta.main) {
  const { ref, chunks } = JSON.parse(Deno.readTextFileSync(Deno.args[0] ?? ""));
  const addon = createRequire(import.meta.url)(RUST_PACKAGE) as RustAddon;
  const adapter = new addon.MeshBlobAdapter(new addon.Redex(), "trees") as TreeAdapter;
  for (const hex of chunks) {
    const bytes = Buffer.from(hex, "hex");
    const hash = Buffer.from(await blake3(bytes), "hex");
    await adapter.store(new addon.BlobRef("mesh://x", hash, BigInt(bytes.length)), bytes);
  }
  const tree = addon.BlobRef.fromEncoded(Buffer.from(ref, "hex")) as RustBlobRef & { size: bigint };
  const payload = await adapter.fetchRange(tree, 0n, tree.size);
  const report = await adapter.repairBlob(tree);
  const counts = Object.fromEntries(
    Object.entries(report).map(([name, count]) => [name, Number(count)]),
  );
  console.log(JSON.stringify({ hash: await blake3(payload), counts }));
  Deno.exit(0);
}
