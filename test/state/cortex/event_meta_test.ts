import assert from "node:assert/strict";
import fc from "fast-check";
import { xxh3 } from "../../../src/core/crypto/mod.ts";
import { AppCounter } from "../../../src/state/cortex/app_counter.ts";
import { EventChecker, RunChecker } from "../../../src/state/cortex/event_meta.ts";
import { decodeEvent, encodeEvent } from "../../../src/state/mod.ts";

const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
const anyMeta = fc.record({
  dispatch: fc.nat(255),
  flags: fc.nat(255),
  origin: u64,
  appSeq: u64,
});

/** Low half of XXH3, the plain way. */
const low = (bytes: Uint8Array) => Number(xxh3(bytes) & 0xffff_ffffn);

Deno.test("encodeEvent() lays a known event out as the core does", () => {
  // First event of cortex_events.json.
  const meta = { dispatch: 1, flags: 0, origin: 0x123456789abcdefn, appSeq: 0n };
  const tail = Uint8Array.fromHex("010a6669727374207461736be807");
  assert.equal(
    encodeEvent(meta, tail).toHex(),
    "01000000efcdab8967452301000000000000000047a7ceb8010a6669727374207461736be807",
  );
});

Deno.test("decodeEvent() gives back what encodeEvent() was given", () => {
  fc.assert(fc.property(anyMeta, fc.uint8Array({ maxLength: 3_000 }), (meta, tail) => {
    const payload = encodeEvent(meta, tail);
    assert.deepEqual([payload[2], payload[3]], [0, 0]);
    const decoded = decodeEvent(payload);
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.event, { ...meta, tail, checksumVersion: 2 });
  }));
});

Deno.test("decodeEvent() takes the checksum of old writers, over the tail alone", () => {
  const tail = new Uint8Array([1, 2, 3]);
  const payload = encodeEvent({ dispatch: 1, flags: 0, origin: 7n, appSeq: 9n }, tail);
  new DataView(payload.buffer).setUint32(20, low(tail), true);
  const decoded = decodeEvent(payload);
  assert.ok(decoded.ok);
  assert.equal(decoded.event.checksumVersion, 1);
});

Deno.test("decodeEvent() leaves the two bytes without meaning out of the checksum", () => {
  const payload = encodeEvent({ dispatch: 1, flags: 0, origin: 7n, appSeq: 9n }, new Uint8Array(5));
  payload[2] = 0xaa;
  payload[3] = 0xbb;
  assert.ok(decodeEvent(payload).ok);
});

Deno.test("decodeEvent() refuses any payload with one bit turned, and writes to none", () => {
  fc.assert(fc.property(anyMeta, fc.uint8Array(), fc.nat(), (meta, tail, at) => {
    const payload = encodeEvent(meta, tail);
    const bit = at % (payload.length * 8);
    const isWithoutMeaning = bit >> 3 === 2 || bit >> 3 === 3;
    payload[bit >> 3] = (payload[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const before = payload.slice();
    assert.equal(decodeEvent(payload).ok, isWithoutMeaning);
    assert.deepEqual(payload, before);
  }));
});

Deno.test("decodeEvent() refuses what is shorter than the meta and says so", () => {
  for (let length = 0; length < 24; length++) {
    const decoded = decodeEvent(new Uint8Array(length));
    assert.ok(!decoded.ok);
    assert.equal(decoded.reason, `${length} bytes, must be at least 24`);
  }
});

Deno.test("decodeEvent() never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    decodeEvent(bytes);
  }));
});

Deno.test("EventChecker and RunChecker say what decodeEvent() says, one payload after the other", () => {
  const checker = new EventChecker();
  const runs = new RunChecker();
  const tail = fc.oneof(
    fc.uint8Array(),
    fc.nat(70_000).map((length) => new Uint8Array(length).fill(length)),
  );
  fc.assert(fc.property(anyMeta, tail, fc.constantFrom(2, 1, 0), (meta, tail, kind) => {
    const payload = encodeEvent(meta, tail);
    const view = new DataView(payload.buffer);
    if (kind === 1) view.setUint32(20, low(tail), true);
    if (kind === 0) view.setUint32(20, view.getUint32(20, true) ^ 1, true);
    const decoded = decodeEvent(payload);
    const wanted = decoded.ok ? decoded.event.checksumVersion : "wrong";
    assert.equal(checker.check(payload), wanted);
    const run = new Uint8Array(payload.length + 64);
    run.fill(0xaa).set(payload, 40);
    runs.load(run);
    assert.equal(runs.check(0, 23), "short");
    assert.equal(runs.check(40, 40 + payload.length), wanted);
  }));
  assert.equal(checker.check(new Uint8Array(23)), "short");
});

Deno.test("AppCounter writes what encodeEvent() writes, and counts on from what it is shown", () => {
  fc.assert(fc.property(anyMeta, fc.uint8Array(), ({ dispatch, origin, appSeq }, tail) => {
    const counter = new AppCounter(origin, appSeq);
    const payload = counter.encode(dispatch, tail);
    assert.deepEqual(payload, encodeEvent({ dispatch, flags: 0, origin, appSeq }, tail));
    assert.equal(counter.next, appSeq);
    counter.note(payload);
    const isLargest = appSeq === 2n ** 64n - 1n;
    assert.equal(counter.next, isLargest ? appSeq : appSeq + 1n);
    counter.note(payload);
    counter.note(encodeEvent({ dispatch, flags: 0, origin: origin ^ 1n, appSeq }, tail));
    assert.equal(counter.next, isLargest ? appSeq : appSeq + 1n);
  }));
});
