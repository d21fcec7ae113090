/** A program's own store of blobs. */
import assert from "node:assert/strict";
import { type BlobAdapter, BlobAdapterError, NetError, startNode, toText } from "../../src/mod.ts";

Deno.test("a program's adapter reads the references of its scheme, and is believed by the hash alone", async () => {
  await using node = await startNode({ listen: "127.0.0.1:0" });
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  const keyOf = (ref: Parameters<BlobAdapter["fetch"]>[0]) =>
    ref.kind === "small" ? ref.hash.toHex() : "";
  const tape: BlobAdapter = {
    id: "tape",
    schemes: ["tape"],
    store: (ref, bytes) => Promise.resolve(void blobs.set(keyOf(ref), bytes.slice())),
    fetch: (ref) => {
      const bytes = blobs.get(keyOf(ref));
      if (bytes !== undefined) return Promise.resolve(bytes);
      return Promise.reject(
        new BlobAdapterError("not_found", "Cannot fetch blob: not on the tape"),
      );
    },
    fetchRange: async (ref, start, end) => (await tape.fetch(ref)).slice(start, end),
    exists: (ref) => Promise.resolve(blobs.has(keyOf(ref))),
    delete: (ref) => Promise.resolve(void blobs.delete(keyOf(ref))),
  };
  node.useAdapter(tape);
  assert.throws(
    () => node.useAdapter(tape),
    (error) => error instanceof NetError && error.code === "conflict",
  );
  await node.core.adapters.check("tape");
  assert.equal(blobs.size, 0);

  const payload = await node.core.adapters.registry.publish(
    "tape",
    "tape:1",
    new TextEncoder().encode("far"),
  );
  const log = await node.log("news");
  const { first: seq } = await log.append(payload);
  assert.equal(toText(await node.resolveEvent("news", seq)), "far");
  const { first: inline } = await log.append("near");
  assert.equal(toText(await node.resolveEvent("news", inline)), "near");
  for (const key of blobs.keys()) blobs.set(key, new Uint8Array(3));
  await assert.rejects(
    node.resolveEvent("news", seq),
    (error) => error instanceof NetError && error.code === "integrity",
  );
});
