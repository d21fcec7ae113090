import assert from "node:assert/strict";
import fc from "fast-check";
import { NO_SLOT, PeerSlots } from "../../../../src/core/transport/peers/peer_slots.ts";

Deno.test("PeerSlots.claim() gives each node one slot of its own, within the bound", () => {
  const steps = fc.array(fc.record({ node: fc.nat(12), isClaim: fc.boolean() }));
  fc.assert(fc.property(steps, (list) => {
    const slots = new PeerSlots(8);
    const model = new Map<number, number>();
    for (const { node, isClaim } of list) {
      if (isClaim) {
        const slot = slots.claim(node, node + 1);
        const known = model.get(node);
        if (known !== undefined) assert.equal(slot, known);
        else if (model.size === 8) assert.equal(slot, NO_SLOT);
        else {
          assert.ok(slot >= 0 && slot < 8 && ![...model.values()].includes(slot));
          model.set(node, slot);
        }
      } else {
        assert.equal(slots.release(node, node + 1), model.get(node) ?? NO_SLOT);
        model.delete(node);
      }
      assert.equal(slots.size, model.size);
      for (const [any, slot] of model) assert.equal(slots.get(any, any + 1), slot);
    }
  }));
});
