/** Reads a tree with the Rust core, in a process of its own. */
import assert from "node:assert/strict";

/** What the Rust core makes of a tree: the hash of its payload, and what a repair counted. */
export async function readTreeByRust(
  tree: { readonly ref: Uint8Array; readonly chunks: readonly Uint8Array[] },
): Promise<{ readonly hash: string; readonly counts: Readonly<Record<string, number>> }> {
  const file = await Deno.makeTempFile();
  try {
    const chunks = tree.chunks.map((bytes) => bytes.toHex());
    await Deno.writeTextFile(file, JSON.stringify({ ref: tree.ref.toHex(), chunks }));
    const script = new URL("rust_tree_process.ts", import.meta.url).pathname;
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", script, file],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(file);
  }
}
