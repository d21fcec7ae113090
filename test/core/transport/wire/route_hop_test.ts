import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeRouteHop,
  openRouteHop,
  peekRouteHopSession,
} from "../../../../src/core/transport/wire/route_hop.ts";

const KEY = new Uint8Array(32).fill(3);
const hops = fc.record({
  hopSessionId: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  hopSequence: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  routed: fc.uint8Array({ minLength: 18, maxLength: 300 }),
});

Deno.test("openRouteHop() gives back what encodeRouteHop() wrapped", () => {
  fc.assert(fc.property(hops, (hop) => {
    const envelope = encodeRouteHop(KEY, hop);
    assert.equal(peekRouteHopSession(envelope), hop.hopSessionId);
    const opened = openRouteHop(KEY, envelope);
    assert.ok(opened !== undefined);
    assert.equal(opened.hopSessionId, hop.hopSessionId);
    assert.equal(opened.hopSequence, hop.hopSequence);
    assert.equal(opened.routed.toHex(), hop.routed.toHex());
  }));
});

Deno.test("openRouteHop() refuses any changed bit and any other key", () => {
  fc.assert(fc.property(hops, fc.nat(), fc.nat(7), (hop, place, bit) => {
    const envelope = encodeRouteHop(KEY, hop);
    assert.equal(openRouteHop(new Uint8Array(32).fill(4), envelope), undefined);
    const at = place % envelope.length;
    envelope[at] = (envelope[at] ?? 0) ^ (1 << bit);
    assert.equal(openRouteHop(KEY, envelope), undefined);
  }));
});

Deno.test("openRouteHop() refuses truncated envelopes and random bytes", () => {
  const hop = { hopSessionId: 1n, hopSequence: 2n, routed: new Uint8Array(20) };
  const envelope = encodeRouteHop(KEY, hop);
  for (let length = 0; length < envelope.length; length++) {
    assert.equal(openRouteHop(KEY, envelope.subarray(0, length)), undefined);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.equal(openRouteHop(KEY, bytes), undefined);
  }));
});

Deno.test("encodeRouteHop() wants a routing header inside", () => {
  const hop = { hopSessionId: 1n, hopSequence: 2n, routed: new Uint8Array(17) };
  assert.throws(() => encodeRouteHop(KEY, hop), RangeError);
});
