import assert from "node:assert/strict";
import fc from "fast-check";
import { isTransferStreamId } from "../../../src/blob/transfer_wire.ts";
import {
  type BenchMessage,
  benchStreamId,
  decodeBenchMessage,
  encodeBenchMessage,
  refuseOtherVersion,
} from "../../../src/services/bench/wire.ts";

const u32 = fc.nat({ max: 0xffffffff });
const count = fc.nat({ max: 2 ** 50 });
const head = { run: u32, step: fc.nat({ max: 0xffff }) };
const messages: fc.Arbitrary<BenchMessage> = fc.oneof(
  fc.record({ ...head, kind: fc.constant("open" as const), runMs: u32 }),
  fc.record({
    ...head,
    kind: fc.constantFrom("opened", "started", "ask", "close", "closed"),
  }),
  fc.record({
    ...head,
    kind: fc.constant("refused" as const),
    reason: fc.constantFrom("busy", "not_proven", "off", "limits", "no_run", "version"),
  }),
  fc.record({
    ...head,
    kind: fc.constant("step" as const),
    spec: fc.record({
      way: fc.constantFrom("out", "in"),
      streams: fc.integer({ min: 1, max: 512 }),
      eventBytes: fc.integer({ min: 1, max: 8104 }),
      windowBytes: u32,
      durationMs: u32,
    }),
  }),
  fc.record({
    ...head,
    kind: fc.constant("figures" as const),
    figures: fc.record({
      isDone: fc.boolean(),
      isBroken: fc.boolean(),
      events: count,
      bytes: count,
      spanMs: fc.nat({ max: 60_000 }),
      packets: count,
      copies: count,
    }),
  }),
  fc.record({
    ...head,
    kind: fc.constantFrom("echo", "echoed"),
    number: u32,
    length: fc.integer({ min: 12, max: 300 }),
  }),
) as fc.Arbitrary<BenchMessage>;

Deno.test("decodeBenchMessage() reads what encodeBenchMessage() wrote", () => {
  fc.assert(fc.property(messages, (message) => {
    // The copy has ordinary prototypes, which the generator's records don't.
    assert.deepEqual(decodeBenchMessage(encodeBenchMessage(message)), structuredClone(message));
  }));
});

Deno.test("decodeBenchMessage() takes or refuses any bytes without throwing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const message = decodeBenchMessage(bytes);
      // Whatever is taken has its length and number of streams within bounds.
      if (message?.kind === "step") assert.ok(message.spec.streams <= 512);
    }),
    { numRuns: 2_000 },
  );
  fc.assert(fc.property(messages, fc.nat({ max: 400 }), (message, cut) => {
    const bytes = encodeBenchMessage(message);
    if (cut >= bytes.length || message.kind === "echo" || message.kind === "echoed") return;
    assert.equal(decodeBenchMessage(bytes.subarray(0, cut)), undefined);
  }));
});

Deno.test("decodeBenchMessage() refuses steps out of bounds", () => {
  const spec = {
    way: "out",
    streams: 1,
    eventBytes: 64,
    windowBytes: 65_536,
    durationMs: 1,
  } as const;
  const bad = [{ streams: 0 }, { streams: 513 }, { eventBytes: 0 }, { eventBytes: 8105 }];
  for (const change of bad) {
    const bytes = encodeBenchMessage({
      kind: "step",
      run: 1,
      step: 1,
      spec: { ...spec, ...change },
    });
    assert.equal(decodeBenchMessage(bytes), undefined);
  }
});

Deno.test("refuseOtherVersion() answers an opening message alone, so that two versions don't argue", () => {
  const open = encodeBenchMessage({ kind: "open", run: 77, step: 0, runMs: 1 });
  assert.equal(refuseOtherVersion(open), undefined);
  open[1] = 2;
  assert.equal(decodeBenchMessage(open), undefined);
  const refusal = refuseOtherVersion(open);
  assert.ok(refusal !== undefined);
  refusal[1] = 2;
  assert.deepEqual(decodeBenchMessage(refusal), {
    kind: "refused",
    run: 77,
    step: 0,
    reason: "version",
  });
  assert.equal(refuseOtherVersion(refusal), undefined);
});

Deno.test("benchStreamId() gives ids of no other plane, each once", () => {
  const ids = new Set<bigint>();
  for (const run of [0, 1, 0xffff, 0x10000, 0xffffffff]) {
    for (let step = 1; step <= 7; step++) {
      for (const index of [0, 1, 511]) {
        const id = benchStreamId(run, step, index);
        ids.add(id);
        assert.equal(id >> 48n, 0x4e42n);
        assert.equal((id >> 48n) & 1n, 0n, "no channel");
        assert.ok(!isTransferStreamId(id));
      }
    }
  }
  assert.equal(ids.size, 5 * 7 * 3);
});

Deno.test("decodeBenchMessage() refuses figures that are no numbers of events", () => {
  const bytes = encodeBenchMessage({
    kind: "figures",
    run: 1,
    step: 1,
    figures: {
      isDone: true,
      isBroken: false,
      events: 1,
      bytes: 1,
      spanMs: 1,
      packets: 1,
      copies: 0,
    },
  });
  assert.ok(decodeBenchMessage(bytes) !== undefined);
  bytes.fill(0xff, 16, 24);
  assert.equal(decodeBenchMessage(bytes), undefined);
});
