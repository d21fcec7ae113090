import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import {
  decodeToolEvent,
  encodeToolEvent,
  isTerminal,
  type ToolEvent,
} from "../../../src/rpc/mod.ts";

const text = fc.string({ maxLength: 8 });
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)));
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const anyEvent: fc.Arbitrary<ToolEvent> = fc.oneof(
  fc.record({
    kind: fc.constant("start" as const),
    toolId: text,
    callId: u64,
    metadata: fc.dictionary(fc.constantFrom("call_id", "a"), fc.oneof(json, fc.double())),
  }, { requiredKeys: ["kind", "toolId"] }),
  fc.record({
    kind: fc.constant("progress" as const),
    percent: fc.integer(),
    message: text,
  }, { requiredKeys: ["kind"] }),
  fc.record({ kind: fc.constantFrom("delta" as const, "result" as const), data: json }),
  fc.record({
    kind: fc.constant("error" as const),
    code: text,
    message: text,
    details: fc.array(json, { maxLength: 2 }),
  }, { requiredKeys: ["kind", "code", "message"] }),
).map((event) => ({ ...event }));

const decode = (wire: string) => decodeToolEvent(utf8(wire));

Deno.test("encodeToolEvent() and decodeToolEvent() are each other's reverse", () => {
  fc.assert(fc.property(anyEvent, (event) => {
    const bytes = encodeToolEvent(event);
    const decoded = decodeToolEvent(bytes);
    assert.ok(decoded.ok);
    assert.deepEqual(encodeToolEvent(decoded.event), bytes);
    if (event.kind === "start") {
      assert.ok(decoded.event.kind === "start");
      assert.equal(decoded.event.callId, event.callId);
    }
  }));
});

Deno.test("decodeToolEvent() never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.ok(!decodeToolEvent(bytes).ok);
  }));
  const type = fc.constantFrom("start", "progress", "delta", "result", "error", "x", 1, null);
  const members = fc.dictionary(
    fc.constantFrom("tool_id", "call_id", "pct", "message", "data", "code", "details", "metadata"),
    fc.jsonValue(),
  );
  fc.assert(fc.property(type, members, (kind, rest) => {
    decode(JSON.stringify({ type: kind, ...rest }));
  }));
});

Deno.test("decodeToolEvent() keeps every digit of a call id, and of no other", () => {
  const wire = '{"metadata":{"call_id":99999999999999999},"type":"start",' +
    '"call_id":18446744073709551615,"tool_id":"a"}';
  const decoded = decode(wire);
  assert.ok(decoded.ok && decoded.event.kind === "start");
  assert.equal(decoded.event.callId, 18446744073709551615n);
  for (const id of ["18446744073709551616", "-1", "1.5", '"1"', "1e30"]) {
    const wrong = decode(`{"type":"start","tool_id":"a","call_id":${id}}`);
    assert.deepEqual(wrong, { ok: false, fault: "malformed" }, id);
  }
});

Deno.test("decodeToolEvent() says what is wrong, and takes null for nothing", () => {
  const faults: readonly (readonly [string, string])[] = [
    ["{", "malformed"],
    ["null", "malformed"],
    ["{}", "missing_member"],
    ['{"type":"end"}', "unknown_kind"],
    ['{"type":"start"}', "missing_member"],
    ['{"type":"result"}', "missing_member"],
    ['{"type":"error","code":"c"}', "missing_member"],
    ['{"type":"progress","pct":"1"}', "malformed"],
    ['{"type":"progress","pct":1e999}', "malformed"],
  ];
  for (const [wire, fault] of faults) assert.deepEqual(decode(wire), { ok: false, fault }, wire);
  assert.deepEqual(decode('{"type":"progress","pct":null,"message":null,"more":1}'), {
    ok: true,
    event: { kind: "progress" },
  });
  assert.deepEqual(decode('{"type":"result","data":null}'), {
    ok: true,
    event: { kind: "result", data: null },
  });
});

Deno.test("isTerminal() is true for results and errors only", () => {
  assert.ok(isTerminal({ kind: "result", data: 1 }));
  assert.ok(isTerminal({ kind: "error", code: "c", message: "m" }));
  assert.ok(!isTerminal({ kind: "delta", data: 1 }));
});

Deno.test("encodeToolEvent() refuses numbers and depths that nobody reads", () => {
  assert.throws(() => encodeToolEvent({ kind: "start", toolId: "a", callId: -1n }), RangeError);
  assert.throws(() => encodeToolEvent({ kind: "progress", percent: NaN }), RangeError);
  const deep = JSON.parse("[".repeat(128) + "]".repeat(128));
  assert.throws(
    () => encodeToolEvent({ kind: "delta", data: deep }),
    (error) => error instanceof NetError && error.code === "usage",
  );
  assert.throws(
    () => encodeToolEvent({ kind: "delta", data: "x".repeat(4 * 1024 * 1024) }),
    (error) => error instanceof NetError && error.code === "limit",
  );
});
