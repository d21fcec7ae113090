import assert from "node:assert/strict";
import fc from "fast-check";
import {
  continueTrace,
  decodeBaggage,
  decodeTraceParent,
  decodeTraceState,
  encodeBaggage,
  isSampled,
  receiveTrace,
  setTraceState,
  startTrace,
  traceHeaders,
} from "../../../../src/core/capability/mod.ts";

function seeded(seed = 1) {
  let state = seed;
  return (length: number) =>
    new Uint8Array(length).map(() => (state = (state * 48_271) % 2_147_483_647) & 0xff);
}
const PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

Deno.test("receiveTrace() goes on where the headers of traceHeaders() end", () => {
  const random = seeded();
  const first = setTraceState(startTrace(random, { kind: "always" }), "vendor", "a b");
  const headers = traceHeaders(first);
  assert.deepEqual(headers.map(([name]) => name), ["traceparent", "tracestate"]);
  const loud = headers.map(([name, value]) => [name.toUpperCase(), value] as const);
  const next = receiveTrace(loud, random, { kind: "never" });
  assert.equal(next.traceId, first.traceId);
  assert.equal(next.parentSpanId, first.spanId);
  assert.notEqual(next.spanId, first.spanId);
  assert.ok(next.isSampled);
  assert.deepEqual(next.state, [["vendor", "a b"]]);
  const inner = continueTrace(next, random);
  assert.equal(inner.parentSpanId, next.spanId);
  assert.equal(inner.traceId, next.traceId);
});

Deno.test("traceHeaders() sends no empty state", () => {
  const random = seeded();
  const trace = startTrace(random, { kind: "never" });
  assert.deepEqual(traceHeaders(trace).map(([name]) => name), ["traceparent"]);
  const emptied = receiveTrace([["traceparent", PARENT], ["tracestate", ""]], random, {
    kind: "always",
  });
  assert.equal(traceHeaders(emptied).length, 1);
});

Deno.test("receiveTrace() starts anew without a parent it can read", () => {
  const random = seeded();
  for (
    const parent of ["", "x", PARENT.toUpperCase(), `${PARENT}-more`, PARENT.replace("4b", "zz")]
  ) {
    const headers = [["traceparent", parent], ["tracestate", "a=b"]] as const;
    const trace = receiveTrace(headers, random, { kind: "always" });
    assert.equal(trace.parentSpanId, undefined);
    assert.deepEqual(trace.state, []);
  }
  const pieces = receiveTrace(
    [["traceparent", PARENT], ["tracestate", "a=1"], ["Tracestate", "b=2"]],
    random,
    { kind: "always" },
  );
  assert.deepEqual(pieces.state, [["a", "1"], ["b", "2"]]);
  const broken = receiveTrace([["traceparent", PARENT], ["tracestate", "a=1,a=2"]], random, {
    kind: "always",
  });
  assert.deepEqual(broken.state, []);
});

Deno.test("decodeTraceParent() follows the W3C's rules", () => {
  assert.ok(decodeTraceParent(PARENT).ok);
  assert.ok(decodeTraceParent(`01${PARENT.slice(2)}-what-comes`).ok);
  const faults = [
    [`ff${PARENT.slice(2)}`, "bad_version"],
    [PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0".repeat(32)), "zero_id"],
    [PARENT.replace("00f067aa0ba902b7", "0".repeat(16)), "zero_id"],
    [PARENT.slice(0, -1), "malformed"],
    [`${PARENT}0`, "malformed"],
    [`01${PARENT.slice(2)}0`, "malformed"],
  ] as const;
  for (const [text, fault] of faults) {
    assert.deepEqual(decodeTraceParent(text), { ok: false, fault }, text);
  }
  fc.assert(fc.property(fc.string(), (text) => void decodeTraceParent(text)));
});

Deno.test("decodeTraceState() takes lists within their bounds only", () => {
  assert.deepEqual(decodeTraceState("a=1 , t@v=x y,,"), [["a", "1"], ["t@v", "x y"]]);
  assert.deepEqual(decodeTraceState(""), []);
  const many = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=v`).join();
  assert.equal(decodeTraceState(many(32))?.length, 32);
  for (const text of [many(33), "a", "A=1", "a==", "a=", "=1", `a=${"x".repeat(512)}`, "a=1,a=2"]) {
    assert.equal(decodeTraceState(text), undefined, text.slice(0, 40));
  }
  fc.assert(fc.property(fc.string(), (text) => void decodeTraceState(text)));
});

Deno.test("setTraceState() puts a member first and keeps the whole within its bounds", () => {
  let trace = startTrace(seeded(), { kind: "always" });
  for (let i = 0; i < 100; i++) trace = setTraceState(trace, `key${i}`, "v".repeat(i + 1));
  assert.equal(trace.state[0]?.[0], "key99");
  const header = traceHeaders(trace)[1]?.[1] ?? "";
  assert.ok(header.length <= 512 && trace.state.length <= 32);
  assert.deepEqual(decodeTraceState(header), trace.state);
  assert.throws(() => setTraceState(trace, "Key", "v"), RangeError);
  assert.throws(() => setTraceState(trace, "key", "a,b"), RangeError);
});

Deno.test("isSampled() keeps the share, and decides alike everywhere", () => {
  const random = seeded(7);
  const sampling = { kind: "ratio", share: 0.25 } as const;
  let kept = 0;
  for (let i = 0; i < 4_000; i++) {
    const { traceId, isSampled: was } = startTrace(random, sampling);
    assert.equal(isSampled(traceId, sampling), was);
    if (was) kept += 1;
  }
  assert.ok(Math.abs(kept - 1_000) < 150, `${kept}`);
  assert.ok(!isSampled("f".repeat(32), { kind: "ratio", share: 0 }));
  assert.ok(isSampled("f".repeat(32), { kind: "ratio", share: 1 }));
});

Deno.test("startTrace() never makes an id of zeros", () => {
  const trace = startTrace((length) => new Uint8Array(length), { kind: "never" });
  assert.ok(decodeTraceParent(traceHeaders(trace)[0]?.[1] ?? "").ok);
});

Deno.test("encodeBaggage() and decodeBaggage() are each other's reverse", () => {
  const name = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/);
  const value = fc.string({ unit: "grapheme", maxLength: 10 }).filter((text) =>
    text.isWellFormed()
  );
  fc.assert(fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (entries) => {
    const baggage = new Map(entries);
    const header = encodeBaggage(baggage);
    if (header === undefined) assert.equal(baggage.size, 0);
    else assert.deepEqual(decodeBaggage(header), baggage);
  }));
});

Deno.test("decodeBaggage() takes what others write, and nothing beyond its bounds", () => {
  assert.deepEqual(
    [...decodeBaggage("a=1;ttl=3 , b = %20x ;p") ?? []],
    [["a", "1"], ["b", " x"]],
  );
  const many = Array.from({ length: 65 }, (_, i) => `k${i}=v`).join();
  for (const text of ["", "a", "=1", "a b=1", 'a="1"', "a=%", "a=%ff", many, "x".repeat(4_097)]) {
    assert.equal(decodeBaggage(text), undefined, text.slice(0, 40));
  }
  fc.assert(fc.property(fc.string(), (text) => void decodeBaggage(text)));
  assert.throws(() => encodeBaggage(new Map([["a b", "1"]])), RangeError);
  assert.throws(() => encodeBaggage(new Map([["a", "x".repeat(4_096)]])), RangeError);
  assert.throws(() => encodeBaggage(new Map([["a", "\ud800"]])), RangeError);
});
