import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeEvents,
  encodeEvents,
  EventCursor,
  writeEventFrame,
} from "../../../../src/core/transport/wire/event_frame.ts";
import {
  MAX_EVENT_BYTES,
  MAX_EVENTS,
  MAX_PAYLOAD,
} from "../../../../src/core/transport/wire/header.ts";

const eventLists = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 40 });

/** The rules of the specification written the plain way. */
function decodeSlowly(payload: Uint8Array, count: number): string[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const events: string[] = [];
  let at = 0;
  while (events.length < count && at + 4 <= payload.length) {
    const length = view.getUint32(at, true);
    if (at + 4 + length > payload.length) break;
    events.push(payload.subarray(at + 4, at + 4 + length).toHex());
    at += 4 + length;
  }
  return events;
}

const hex = (events: readonly Uint8Array[]) => events.map((event) => event.toHex());

Deno.test("decodeEvents() gives back what encodeEvents() packed", () => {
  fc.assert(fc.property(eventLists, (events) => {
    const payload = encodeEvents(events);
    assert.deepEqual(hex(decodeEvents(payload, events.length)), hex(events));
    assert.deepEqual(hex(decodeEvents(payload, events.length + 5)), hex(events));
  }));
});

Deno.test("decodeEvents() ignores what is behind the declared events", () => {
  const payload = encodeEvents([Uint8Array.of(1), Uint8Array.of(2)]);
  assert.deepEqual(hex(decodeEvents(payload, 1)), ["01"]);
  assert.deepEqual(decodeEvents(payload, 0), []);
});

Deno.test("decodeEvents() agrees with the plain reader on hostile bytes", () => {
  const damaged = fc.tuple(eventLists, fc.nat(), fc.nat(0xff), fc.nat()).map(
    ([events, place, value, cut]) => {
      const payload = encodeEvents(events);
      if (payload.length > 0) payload[place % payload.length] = value;
      return payload.subarray(0, cut % (payload.length + 1));
    },
  );
  const any = fc.oneof(fc.uint8Array({ maxLength: 100 }), damaged);
  fc.assert(fc.property(any, fc.nat(50), (payload, count) => {
    assert.deepEqual(hex(decodeEvents(payload, count)), decodeSlowly(payload, count));
  }));
});

Deno.test("EventCursor.next() stays inside the plaintext it was given", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 60, maxLength: 60 }),
      fc.nat(70),
      fc.nat(100),
      fc.nat(3000),
      (slab, at, length, count) => {
        const cursor = new EventCursor();
        cursor.reset(slab, at, length, count);
        let end = at;
        for (let i = 0; cursor.next(); i++) {
          assert.ok(i < count);
          assert.equal(cursor.start >= end + 4, true);
          assert.ok(cursor.end >= cursor.start && cursor.end <= Math.min(at + length, 60));
          end = cursor.end;
        }
        assert.equal(cursor.next(), false);
      },
    ),
  );
});

Deno.test("EventCursor.reset() forgets the packet before", () => {
  const cursor = new EventCursor();
  const first = encodeEvents([Uint8Array.of(1), Uint8Array.of(2)]);
  cursor.reset(first, 0, first.length, 2);
  assert.ok(cursor.next());
  const slab = new Uint8Array(20);
  writeEventFrame(slab, 7, Uint8Array.of(9));
  cursor.reset(slab, 7, 5, 1);
  assert.ok(cursor.next());
  assert.deepEqual([cursor.start, cursor.end], [11, 12]);
  assert.ok(!cursor.next());
});

Deno.test("EventCursor.next() does not resume behind an incomplete frame", () => {
  const cursor = new EventCursor();
  const payload = Uint8Array.fromHex("0100000061ffffffff00");
  cursor.reset(payload, 0, payload.length, 3);
  assert.ok(cursor.next());
  assert.ok(!cursor.next());
  assert.ok(!cursor.next());
});

Deno.test("writeEventFrame() takes events up to 8104 bytes that fit", () => {
  const bytes = new Uint8Array(MAX_PAYLOAD);
  assert.equal(writeEventFrame(bytes, 0, new Uint8Array(MAX_EVENT_BYTES).fill(7)), MAX_PAYLOAD);
  assert.deepEqual(hex(decodeEvents(bytes, 1)), ["07".repeat(MAX_EVENT_BYTES)]);
  const large = new Uint8Array(MAX_PAYLOAD * 2);
  assert.throws(() => writeEventFrame(large, 0, new Uint8Array(MAX_EVENT_BYTES + 1)), RangeError);
  assert.throws(() => writeEventFrame(bytes, 1, new Uint8Array(MAX_EVENT_BYTES)), RangeError);
});

Deno.test("encodeEvents() refuses more than a packet holds", () => {
  const empty = new Uint8Array(0);
  assert.equal(encodeEvents(Array(MAX_EVENTS).fill(empty)).length, MAX_PAYLOAD);
  assert.throws(() => encodeEvents(Array(MAX_EVENTS + 1).fill(empty)), RangeError);
  assert.throws(() => encodeEvents([new Uint8Array(8000), new Uint8Array(101)]), RangeError);
});
