import assert from "node:assert/strict";
import { EntityPins } from "../../../src/services/capabilities/entity_pins.ts";

Deno.test("EntityPins keeps the first entity of a node, and nodes that were heard of last", () => {
  const pins = new EntityPins();
  const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  pins.pin(1n, first);
  pins.pin(2n, first);
  for (let i = 0; i < 4_094; i++) pins.pin(BigInt(100 + i), second);
  pins.pin(1n, second);
  pins.pin(3n, second);
  assert.equal(pins.get(1n), first);
  assert.equal(pins.get(2n), undefined);
  assert.equal(pins.get(3n), second);
});
