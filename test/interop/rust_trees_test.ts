import assert from "node:assert/strict";
import {
  type BuiltStripe,
  type ContentDefinedChunking,
  createStripeBuilder,
  createTreeBuilder,
  cutStream,
  encodeBlobRef,
} from "../../src/blob/mod.ts";
import { blake3 } from "../../src/core/crypto/mod.ts";
import { bytesSource, seededBytes } from "../blob/sources.ts";
import { readTreeByRust } from "./read_tree_by_rust.ts";
import { rustPeerSkipReason } from "./rust_peer.ts";

const skip = rustPeerSkipReason();
const CHUNKING: ContentDefinedChunking = {
  kind: "content_defined",
  minBytes: 256,
  averageBytes: 1_024,
  maxBytes: 4_096,
};
const CODE = { data: 4, parity: 2 };

Deno.test({
  name: "the Rust core reads a tree of content-defined chunks of ours",
  ignore: skip !== undefined,
  fn: async () => {
    const payload = seededBytes(300_000, 5);
    const builder = createTreeBuilder();
    const chunks: Uint8Array[] = [];
    await cutStream(bytesSource(payload), {
      chunking: CHUNKING,
      onCut: (chunk) => {
        chunks.push(chunk.bytes.slice(), ...builder.addChunk(chunk).map(({ bytes }) => bytes));
      },
      onChunk: () => Promise.resolve(),
    });
    const { ref, nodes } = builder.finish();
    assert.equal(ref.depth, 2);
    chunks.push(...nodes.map(({ bytes }) => bytes));
    const read = await readTreeByRust({ ref: encodeBlobRef(ref), chunks });
    assert.equal(read.hash, blake3(payload).toHex());
  },
});

Deno.test({
  name: "the Rust core restores lost chunks from stripes of ours, whatever their lengths",
  ignore: skip !== undefined,
  fn: async () => {
    const payload = seededBytes(60_000, 6);
    const stripes = createStripeBuilder(CODE);
    const builder = createTreeBuilder({ kind: "reed_solomon", ...CODE });
    const chunks: Uint8Array[] = [];
    const tail: Uint8Array[] = [];
    let whole = 0;
    const add = (built: BuiltStripe | undefined) => {
      if (built === undefined) return;
      chunks.push(...built.parity.map(({ bytes }) => bytes));
      chunks.push(...builder.addStripe(built.stripe).map(({ bytes }) => bytes));
      if (built.parity.length > 0) whole += 1;
    };
    await cutStream(bytesSource(payload), {
      chunking: CHUNKING,
      onCut: (chunk) => {
        const built = stripes.add(chunk);
        // The tail has no parity, so all of it is kept until its stripe is full.
        tail.push(chunk.bytes.slice());
        if (built === undefined) return;
        // The first and the third of each stripe are lost.
        chunks.push(...tail.filter((_, i) => i % 2 === 1));
        tail.length = 0;
        add(built);
      },
      onChunk: () => Promise.resolve(),
    });
    chunks.push(...tail);
    add(stripes.finish());
    const { ref, nodes } = builder.finish();
    chunks.push(...nodes.map(({ bytes }) => bytes));
    const read = await readTreeByRust({ ref: encodeBlobRef(ref), chunks });
    assert.equal(read.hash, blake3(payload).toHex());
    assert.equal(read.counts.stripesRepaired, whole);
    assert.equal(read.counts.chunksRestored, 2 * whole);
  },
});
