import assert from "node:assert/strict";
import { decidePair } from "../../../../src/core/transport/nat/pair_decision.ts";

Deno.test("decidePair() follows the table for all sixteen pairs", () => {
  const direct = [
    "open-open",
    "open-cone",
    "open-unknown",
    "cone-open",
    "unknown-open",
    "unknown-unknown",
  ];
  const relay = ["symmetric-symmetric", "symmetric-unknown", "unknown-symmetric"];
  const classes = ["open", "cone", "symmetric", "unknown"] as const;
  for (const own of classes) {
    for (const other of classes) {
      const pair = `${own}-${other}`;
      const expected = direct.includes(pair) ? "direct" : relay.includes(pair) ? "relay" : "punch";
      assert.equal(decidePair(own, other), expected, pair);
      assert.equal(decidePair(other, own), expected, pair);
    }
  }
});
