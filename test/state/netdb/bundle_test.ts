import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeBundle,
  encodeBundle,
  type NetDbBundle,
  NetDbError,
} from "../../../src/state/mod.ts";

const anySnapshot = fc.record({
  bytes: fc.uint8Array({ maxLength: 40 }),
  lastSeq: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined }),
}, { noNullPrototype: true });
const anyBundle: fc.Arbitrary<NetDbBundle> = fc.record({
  tasks: fc.option(anySnapshot, { nil: undefined }),
  memories: fc.option(anySnapshot, { nil: undefined }),
  others: fc.array(fc.tuple(fc.string(), anySnapshot), { maxLength: 4 })
    .map((entries) => new Map(entries)),
}, { noNullPrototype: true });

Deno.test("a bundle is read as it was written", () => {
  fc.assert(fc.property(anyBundle, (bundle) => {
    const bytes = encodeBundle(bundle);
    assert.deepEqual(decodeBundle(bytes), {
      ...bundle,
      others: new Map([...bundle.others ?? []].sort(([a], [b]) => a < b ? -1 : 1)),
    });
    assert.deepEqual(encodeBundle(decodeBundle(bytes)), bytes);
  }));
});

Deno.test("the core's part of a bundle is the same with and without other collections", () => {
  fc.assert(fc.property(anyBundle, ({ tasks, memories, others }) => {
    const core = encodeBundle({ tasks, memories });
    assert.deepEqual(encodeBundle({ tasks, memories, others }).subarray(0, core.length), core);
  }));
});

Deno.test("a bundle with other collections that was changed or cut is refused", () => {
  const others = new Map([["netdb/notes", { bytes: Uint8Array.of(1, 2, 3), lastSeq: 7n }]]);
  const bytes = encodeBundle({ others });
  const head = encodeBundle({}).length;
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x40;
    // Without the mark what follows the head is anybody's, and not looked at.
    const isMark = at >= head && at < head + 4;
    if (isMark) assert.equal(decodeBundle(changed).others?.size, 0);
    else assert.throws(() => decodeBundle(changed), isDecodeError, `byte ${at}`);
  }
  for (let length = head + 4; length < bytes.length; length++) {
    assert.throws(() => decodeBundle(bytes.subarray(0, length)), isDecodeError);
  }
  assert.throws(() => decodeBundle(Uint8Array.of(...bytes, 0)), isDecodeError);
});

Deno.test("a bundle that claims more than it holds is refused at once", () => {
  const huge = Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff, 0x0f);
  assert.throws(() => decodeBundle(huge), /Hit the end of buffer/);
  const many = new Map(Array.from({ length: 66 }, (_, at) => [`c${at}`, EMPTY]));
  assert.throws(() => encodeBundle({ others: many }), /66 collections/);
});

const EMPTY = { bytes: new Uint8Array(0), lastSeq: undefined };

function isDecodeError(error: unknown): boolean {
  return error instanceof NetDbError && error.kind === "decode" &&
    error.message.startsWith("netdb: decode snapshot bundle: ");
}
