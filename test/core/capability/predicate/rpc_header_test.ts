import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../../src/base/mod.ts";
import {
  createPredicateHeader,
  type Predicate,
  PREDICATE_HEADER,
  PREDICATE_HEADER_BYTES_MAX,
  readPredicateHeader,
} from "../../../../src/core/capability/mod.ts";

const overhead = createPredicateHeader({ kind: "metadata_exists", key: "" })[1].length;
const ofLength = (length: number): Predicate => ({
  kind: "metadata_exists",
  key: "x".repeat(length - overhead),
});

Deno.test("readPredicateHeader() tells none from one that cannot be read", () => {
  const [, value] = createPredicateHeader(ofLength(100));
  assert.deepEqual(readPredicateHeader([]), { kind: "absent" });
  const others = [["Net-Where", value], ["cyberdeck-where", value], ["net-where ", value]] as const;
  assert.deepEqual(readPredicateHeader(others), { kind: "absent" });
  const bad = readPredicateHeader([[PREDICATE_HEADER, utf8("{}")]]);
  assert.deepEqual(bad, { kind: "bad", fault: "malformed" });
  const none = readPredicateHeader([[PREDICATE_HEADER, utf8('{"nodes":[],"root_idx":0}')]]);
  assert.deepEqual(none, { kind: "bad", fault: "empty" });
  const read = readPredicateHeader([...others, [PREDICATE_HEADER, value]]);
  assert.deepEqual(read, { kind: "predicate", predicate: ofLength(100) });
});

Deno.test("readPredicateHeader() does not choose between two", () => {
  const header = createPredicateHeader(ofLength(100));
  assert.deepEqual(readPredicateHeader([header, header]), { kind: "bad", fault: "repeated" });
});

Deno.test("createPredicateHeader() and readPredicateHeader() stop at 4096 bytes", () => {
  const longest = createPredicateHeader(ofLength(PREDICATE_HEADER_BYTES_MAX));
  assert.equal(longest[1].length, 4096);
  assert.equal(readPredicateHeader([longest]).kind, "predicate");
  assert.throws(
    () => createPredicateHeader(ofLength(PREDICATE_HEADER_BYTES_MAX + 1)),
    (error) => error instanceof NetError && error.code === "limit",
  );
  const longer = Uint8Array.of(...longest[1], 0x20);
  const read = readPredicateHeader([[PREDICATE_HEADER, longer]]);
  assert.deepEqual(read, { kind: "bad", fault: "too_long" });
});
