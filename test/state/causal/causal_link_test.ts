import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CausalChain,
  CausalError,
  type CausalEvent,
  checkLink,
  decodeCausalLink,
  decodeEventFrames,
  describeChainFault,
  encodeCausalLink,
  encodeEventFrames,
  genesisEvent,
} from "../../../src/state/mod.ts";
import { anyLink, anyPayload, anyPayloads, eventsOf, flipBit } from "./chain_samples.ts";

const LAST = 0xffff_ffff_ffff_ffffn;

Deno.test("decodeCausalLink() gives back what encodeCausalLink() wrote, and takes 32 bytes only", () => {
  fc.assert(fc.property(anyLink, (link) => {
    assert.deepEqual(decodeCausalLink(encodeCausalLink(link)), link);
  }));
  assert.equal(decodeCausalLink(new Uint8Array(31)), undefined);
  assert.equal(decodeCausalLink(new Uint8Array(33)), undefined);
});

Deno.test("checkLink() takes every event of a chain behind the one before it", () => {
  fc.assert(fc.property(anyPayloads, (payloads) => {
    const chain = new CausalChain(5n);
    let before: CausalEvent = genesisEvent(5n);
    for (const payload of payloads) {
      const event = chain.append(payload, 9n);
      assert.equal(checkLink(before, event.link), undefined);
      before = event;
    }
    assert.equal(before.link.sequence, BigInt(payloads.length));
  }));
});

Deno.test("checkLink() refuses any changed bit of the event before, or of its own place", () => {
  fc.assert(fc.property(
    anyPayload,
    anyPayload,
    fc.nat({ max: (32 + 300) * 8 - 1 }),
    (payload, next, bit) => {
      const chain = CausalChain.after(
        { origin: 3n, horizon: 8n, sequence: 4n, parent: 5n },
        payload,
      );
      const before = chain.head;
      const event = chain.append(next, 77n);
      const whole = encodeEventFrames([before]).subarray(4);
      const at = bit % (whole.length * 8);
      const frame = flipBit(whole, at);
      const link = decodeCausalLink(frame.slice(0, 32));
      assert.ok(link !== undefined);
      const fault = checkLink({ link, payload: frame.subarray(32) }, event.link);
      const kind = at < 64
        ? "origin_mismatch"
        : at >= 128 && at < 192
        ? "sequence_gap"
        : "parent_hash_mismatch";
      assert.equal(fault?.kind, kind);
    },
  ));
});

Deno.test("checkLink() looks at origin, sequence and parent in this order", () => {
  const before = genesisEvent(1n);
  const wrong = { origin: 2n, horizon: 0n, sequence: 7n, parent: 7n };
  assert.deepEqual(checkLink(before, wrong), { kind: "origin_mismatch", expected: 1n, found: 2n });
  const gap = checkLink(before, { ...wrong, origin: 1n });
  assert.deepEqual(gap, { kind: "sequence_gap", expected: 1n, found: 7n });
  const parent = checkLink(before, { ...wrong, origin: 1n, sequence: 1n });
  assert.equal(parent?.kind, "parent_hash_mismatch");
  assert.ok(gap !== undefined);
  assert.equal(describeChainFault(gap), "sequence is 7, must be 1");
});

Deno.test("checkLink() lets nothing follow the last number", () => {
  const last: CausalEvent = {
    link: { origin: 1n, horizon: 0n, sequence: LAST, parent: 0n },
    payload: new Uint8Array(),
  };
  for (const sequence of [0n, LAST]) {
    const fault = checkLink(last, { ...last.link, sequence });
    assert.deepEqual(fault, { kind: "sequence_gap", expected: LAST, found: sequence });
  }
});

Deno.test("CausalChain refuses to append behind the last number, and stays as it is", () => {
  const link = { origin: 1n, horizon: 0n, sequence: LAST, parent: 0n };
  const chain = CausalChain.after(link, new Uint8Array());
  assert.throws(() => chain.append(new Uint8Array()), (error: unknown) => {
    assert.ok(error instanceof CausalError);
    return error.kind === "sequence_overflow" && error.code === "limit" &&
      /causal sequence overflow/.test(error.message);
  });
  assert.deepEqual(chain.head.link, link);
});

Deno.test("decodeEventFrames() reads back frames, and of cut ones what is whole", () => {
  const events = eventsOf(9n, 5);
  const frames = encodeEventFrames(events);
  fc.assert(fc.property(fc.nat({ max: frames.length }), (length) => {
    const decoded = decodeEventFrames(frames.subarray(0, length), 5);
    const whole = Math.floor(length / (frames.length / 5));
    assert.deepEqual(decoded.events, events.slice(0, whole));
    assert.equal(decoded.isComplete, whole === 5);
  }));
});

Deno.test("decodeEventFrames() reads no more than announced, and stops at a length below a link", () => {
  const frames = encodeEventFrames(eventsOf(9n, 3));
  assert.equal(decodeEventFrames(frames, 2).events.length, 2);
  const second = frames.length / 3;
  frames[second] = 31;
  const { events, bytesRead, isComplete } = decodeEventFrames(frames, 3);
  assert.deepEqual([events.length, bytesRead, isComplete], [1, second, false]);
  assert.ok(decodeEventFrames(new Uint8Array(), 0).isComplete);
});
