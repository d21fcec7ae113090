import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BusError,
  compareEventIds,
  decodeCursor,
  encodeCursor,
  eventIdKind,
  skipEvent,
} from "../../../src/log/mod.ts";

const refused = (text: string) =>
  assert.throws(
    () => decodeCursor(text),
    (error) => error instanceof BusError && error.kind === "cursor",
    text,
  );
const ofJson = (json: string) => btoa(json);

Deno.test("a cursor is read back, shards in order", () => {
  const cursor = new Map([[7, "9"], [0, "1-2"], [65_535, "0:3"]]);
  const text = encodeCursor(cursor);
  assert.equal(atob(text), '{"0":"1-2","7":"9","65535":"0:3"}');
  assert.deepEqual(decodeCursor(text), cursor);
});

Deno.test("cursors that are none are refused", () => {
  for (const text of ["!!", "eyIwIjoiMSJ9 ", "eyIwIjoiMSJ9\n", "eyIwIjoiMSJ", "bnVsbA", ""]) {
    refused(text);
  }
  const bodies = [
    "null",
    "[]",
    '{"00":"1"}',
    '{"70000":"1"}',
    '{"65536":"1"}',
    '{"0":1}',
    '{"-1":"1"}',
  ];
  for (const json of [...bodies, '{"+1":"1"}', '{"a":"1"}', '{"":"1"}', '{"0":null}', "{"]) {
    refused(ofJson(json));
  }
  refused(ofJson(`{"0":"${"9".repeat(300)}"}`));
});

Deno.test("ids have kinds and an order", () => {
  assert.equal(eventIdKind("1-2"), "redis");
  assert.equal(eventIdKind("340282366920938463463374607431768211455"), "numeric");
  assert.equal(eventIdKind("340282366920938463463374607431768211456"), "opaque");
  assert.equal(eventIdKind("0:3"), "opaque");
  assert.equal(eventIdKind("18446744073709551616-0"), "opaque");
  const ordered = [["2-0", "10-0"], ["2-9", "2-10"], ["9", "10"], ["a", "b"], ["10:0", "9:0"]];
  for (const [less = "", more = ""] of ordered) {
    assert.ok(compareEventIds(less, more) < 0, `${less} ${more}`);
    assert.ok(compareEventIds(more, less) > 0);
  }
});

Deno.test("the order of texts is that of their bytes", () => {
  const encoder = new TextEncoder();
  const unit = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed());
  fc.assert(fc.property(unit, unit, (left, right) => {
    if (eventIdKind(left) !== "opaque" || eventIdKind(right) !== "opaque") return;
    const [a, b] = [encoder.encode(left), encoder.encode(right)];
    let order = a.length - b.length;
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const difference = (a[i] ?? 0) - (b[i] ?? 0);
      if (difference !== 0) {
        order = difference;
        break;
      }
    }
    assert.equal(Math.sign(compareEventIds(left, right)), Math.sign(order));
  }));
});

Deno.test("an event is passed over in its shard only", () => {
  const cursor = encodeCursor(new Map([[0, "1"], [1, "2"]]));
  assert.deepEqual(decodeCursor(skipEvent(cursor, 1, "3")), new Map([[0, "1"], [1, "3"]]));
  assert.deepEqual(decodeCursor(skipEvent(undefined, 1, "3")), new Map([[1, "3"]]));
});
