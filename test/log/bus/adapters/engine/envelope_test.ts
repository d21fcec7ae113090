/** The envelope around events in engines. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeEnvelope, encodeEnvelope } from "../../../../../src/log/bus/adapters/engine/mod.ts";
import { bytesOf, textOf } from "../../engines/adapter_kit.ts";

Deno.test("encodeEnvelope() writes the form of the Rust core", () => {
  const raw = bytesOf('{"a": 1.0}');
  const bytes = encodeEnvelope({ raw, insertionTs: 2n ** 64n - 1n, shard: 65_535 });
  assert.equal(textOf(bytes), '{"r":{"a": 1.0},"t":18446744073709551615,"s":65535}');
});

Deno.test("decodeEnvelope() gives any bytes back as they were", () => {
  const nasty = fc.constantFrom(...[',"t":1,"s":2}', '{"r":', '"', "\\", "}", ""].map(bytesOf));
  const raws = fc.oneof(fc.uint8Array(), nasty, fc.json().map(bytesOf));
  const parts = fc.array(raws, { maxLength: 3 });
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(fc.property(parts, u64, fc.nat(65_535), (each, insertionTs, shard) => {
    const raw = Uint8Array.from(each.flatMap((part) => [...part]));
    assert.deepEqual(decodeEnvelope(encodeEnvelope({ raw, insertionTs, shard })), {
      raw,
      insertionTs,
      shard,
    });
  }));
});

Deno.test("decodeEnvelope() reads what others wrote, and keeps the text of the event", () => {
  const cases: readonly (readonly [string, string, bigint, number])[] = [
    ['{ "r" : {"a": [1 , "}"]} , "t" : 5 , "s" : 6 }', '{"a": [1 , "}"]}', 5n, 6],
    ['{"s":6,"t":5,"r":"\\"}"}', '"\\"}"', 5n, 6],
    ['{"r":1.0}', "1.0", 0n, 0],
    ['{"r":null,"other":{"r":2}}', "null", 0n, 0],
    ['\n{"r":-1e9\n,"s":1}', "-1e9", 0n, 1],
    ['{"r":[],"t":1,"s":2,"z":"ü"}', "[]", 1n, 2],
  ];
  for (const [text, raw, insertionTs, shard] of cases) {
    assert.deepEqual(
      decodeEnvelope(bytesOf(text)),
      { raw: bytesOf(raw), insertionTs, shard },
      text,
    );
  }
});

Deno.test("decodeEnvelope() refuses what has no event, or numbers out of range", () => {
  const cases = [
    "",
    "null",
    "[]",
    "{}",
    '{"t":1,"s":2}',
    '{"r":1,"r":2}',
    '{"r":1,"t":-1}',
    '{"r":1,"t":1.0}',
    '{"r":1,"t":18446744073709551616,"s":0}',
    '{"r":1,"t":1,"s":65536}',
    '{"r":1,"t":1,"s":"1"}',
    '{"r":,"t":1,"s":2',
    '{"r":not json}',
  ];
  for (const text of cases) assert.equal(decodeEnvelope(bytesOf(text)), undefined, text);
});

Deno.test("decodeEnvelope() never throws", () => {
  const alphabet = fc.constantFrom(...'{}[]":,rts019-.e \\\u00ff');
  const texts = fc.array(alphabet, { maxLength: 40 }).map((each) => bytesOf(each.join("")));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), texts, fc.json().map(bytesOf)), (bytes) => {
      decodeEnvelope(bytes);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("decodeEnvelope() agrees with JSON.parse about envelopes that are JSON", () => {
  const envelopes = fc.record({
    r: fc.jsonValue(),
    t: fc.nat(),
    s: fc.nat(65_535),
    other: fc.jsonValue(),
  });
  fc.assert(fc.property(envelopes, fc.nat(4), (envelope, spaces) => {
    const decoded = decodeEnvelope(bytesOf(JSON.stringify(envelope, null, spaces)));
    assert.ok(decoded !== undefined);
    const event = JSON.parse(textOf(decoded.raw));
    assert.deepEqual(event, JSON.parse(JSON.stringify(envelope.r)));
    assert.equal(decoded.insertionTs, BigInt(envelope.t));
    assert.equal(decoded.shard, envelope.s);
  }));
});
