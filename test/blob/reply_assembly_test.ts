import assert from "node:assert/strict";
import fc from "fast-check";
import { type AssemblyStep, ReplyAssembly } from "../../src/blob/_reply_assembly.ts";
import { encodeTransferHeader } from "../../src/blob/mod.ts";
import { seededBytes } from "./sources.ts";

const header = (totalBytes: number) =>
  encodeTransferHeader({ isFound: true, totalBytes: BigInt(totalBytes) });

function eventsOf(bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  const events: Uint8Array[] = [header(bytes.length)];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    events.push(bytes.subarray(at, at + pieceBytes));
  }
  return events;
}

Deno.test("ReplyAssembly puts events of any order and number of copies together", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 5000 }),
    fc.integer({ min: 1, max: 700 }),
    fc.infiniteStream(fc.nat()),
    (size, pieceBytes, numbers) => {
      const bytes = seededBytes(size);
      const events = eventsOf(bytes, pieceBytes).map((event, sequence) => ({ event, sequence }));
      const random = (limit: number) => Number(numbers.next().value) % limit;
      const mixed = [...events, ...events.slice(0, random(events.length + 1))];
      for (let i = mixed.length - 1; i > 0; i--) {
        const j = random(i + 1);
        mixed.splice(i, 1, ...mixed.splice(j, 1, ...mixed.slice(i, i + 1)));
      }
      if (events.length > 1000) return;
      const assembly = new ReplyAssembly(size);
      const steps = mixed.map(({ event, sequence }) => {
        // The view is spoiled after the call, as the transport's buffers are.
        const view = event.slice();
        const step = assembly.push(sequence, view);
        view.fill(0xee);
        return step;
      });
      assert.equal(steps.filter((step) => step === "complete").length, 1);
      assert.deepEqual(assembly.bytes, bytes);
    },
  ));
});

Deno.test("ReplyAssembly refuses replies that break the rules", () => {
  const cases: [string, number | undefined, readonly [number, Uint8Array][], AssemblyStep][] = [
    ["no header", undefined, [[0, Uint8Array.of(9)]], "bad_header"],
    ["empty header", undefined, [[0, new Uint8Array(0)]], "bad_header"],
    ["not found", undefined, [[0, Uint8Array.of(1)]], "not_found"],
    ["other size than the chunk's", 10, [[0, header(11)]], "bad_size"],
    ["above 16 MiB", undefined, [[0, header(16 * 1024 * 1024 + 1)]], "bad_size"],
    ["above 16 MiB by far", undefined, [[0, header(2 ** 53 - 1)]], "bad_size"],
    ["more than declared", 3, [[0, header(3)], [1, new Uint8Array(4)]], "too_many_bytes"],
    [
      "data where the header belongs",
      3,
      [[1, Uint8Array.of(7)], [0, Uint8Array.of(7)]],
      "bad_header",
    ],
  ];
  for (const [name, expectedBytes, events, last] of cases) {
    const assembly = new ReplyAssembly(expectedBytes);
    const steps = events.map(([sequence, event]) => assembly.push(sequence, event));
    assert.equal(steps.at(-1), last, name);
  }
});

Deno.test("ReplyAssembly drops what is too far ahead and keeps what is not", () => {
  const assembly = new ReplyAssembly();
  assert.equal(assembly.push(1023, new Uint8Array(1)), "kept");
  assert.equal(assembly.push(1024, new Uint8Array(1)), "dropped");
  assert.equal(assembly.push(2 ** 50, new Uint8Array(1)), "dropped");
  assert.equal(assembly.push(1023, new Uint8Array(1)), "dropped");
});

Deno.test("ReplyAssembly never throws on hostile events", () => {
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), fc.uint8Array({ maxLength: 20 }))),
    (events) => {
      const assembly = new ReplyAssembly(undefined, 1000);
      for (const [sequence, event] of events) {
        assembly.push(sequence, event);
        assert.ok((assembly.bytes?.length ?? 0) <= 1000);
      }
    },
  ));
});
