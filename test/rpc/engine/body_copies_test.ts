import assert from "node:assert/strict";
import fc from "fast-check";
import { BodyCopies } from "../../../src/rpc/engine/body_copies.ts";

Deno.test("BodyCopies.copy() gives bytes that nobody else has", () => {
  const lent = new Uint8Array(2_000);
  fc.assert(fc.property(fc.array(fc.nat(2_000), { maxLength: 60 }), (lengths) => {
    const copies = new BodyCopies();
    const taken = lengths.map((length, at) => copies.copy(lent.subarray(0, length).fill(at + 1)));
    lent.fill(0xee);
    for (const [at, copy] of taken.entries()) {
      assert.equal(copy.length, lengths[at]);
      assert.ok(copy.every((byte) => byte === at + 1));
      copy.fill(0);
    }
  }));
});
