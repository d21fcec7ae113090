/** Frames joined from fragments: in any order, within limits, and never from parts that do not fit. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createLinkCounters,
  Dispatch,
  FRAME_BYTES,
  FrameHead,
  FrameIntake,
  JoinBudget,
  type JoinBudgetOptions,
  LargeAllowance,
  OutLink,
  type RefusedFrame,
  writeFragmentHead,
  writeFrameHead,
} from "../../../src/rpc/mod.ts";
import {
  FRAME_BODY_BYTES_MAX,
  JOIN_IDLE_MS,
  JOIN_RUNS_MAX,
  JOIN_SWEEP_MS,
  JOINS_MAX,
  REFUSED_FRAMES_MAX,
} from "../../../src/rpc/link/limits.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { FakePort, turns } from "./fake_port.ts";

const ROUTE = { originLow: 1, originHigh: 2, channelLow: 3, channelHigh: 4 };
const PEER = 5n;

function intakeOf(options: JoinBudgetOptions = {}, clock = new ManualClock()) {
  const counters = createLinkCounters();
  const budget = new JoinBudget(options);
  const frames: Uint8Array[] = [];
  const owned: boolean[] = [];
  const refused: RefusedFrame[] = [];
  const intake = new FrameIntake({
    clock,
    budget,
    counters,
    onFrame: (bytes, isOwned) => {
      frames.push(isOwned ? bytes : bytes.slice());
      owned.push(isOwned);
    },
    onRefused: (frame) => void refused.push(frame),
  }, PEER);
  return { intake, counters, budget, frames, owned, refused, clock };
}

/** One fragment as it comes. */
function fragmentOf(
  options: {
    readonly call?: number;
    readonly item?: number;
    readonly dispatch?: number;
    readonly originLow?: number;
    readonly total: number;
    readonly offset: number;
    readonly length: number;
  },
): Uint8Array {
  const { call = 1, item = 0, dispatch = Dispatch.request, originLow = 1 } = options;
  const { total, offset, length } = options;
  const bytes = new Uint8Array(FRAME_BYTES + 12 + length);
  const route = { ...ROUTE, originLow };
  const at = writeFrameHead(bytes, 0, Dispatch.fragment, route, call, 0, item);
  const start = writeFragmentHead(bytes, at, dispatch, total, offset);
  for (let i = 0; i < length; i++) bytes[start + i] = (offset + i) & 0xff;
  return bytes;
}

Deno.test("FrameIntake hands whole frames on as they are", () => {
  const { intake, frames, owned, counters } = intakeOf();
  const frame = Uint8Array.of(Dispatch.response, 1, 2, 3);
  intake.take(frame);
  intake.take(new Uint8Array(0));
  assert.deepEqual(frames, [frame, new Uint8Array(0)]);
  assert.deepEqual(owned, [false, false]);
  assert.equal(counters.frames_received_total, 2);
});

Deno.test("FrameIntake joins what a link sent, in whatever order it comes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 5 }),
      fc.integer(),
      async (lengths, seed) => {
        const random = seededRandom(seed);
        const port = new FakePort(700);
        const link = new OutLink(
          { port, counters: createLinkCounters(), allowance: new LargeAllowance() },
          { peer: 9n, route: ROUTE, isExtended: true },
        );
        const bodies = lengths.map((length) =>
          Uint8Array.from({ length }, () => Math.floor(random() * 256))
        );
        const sends = bodies.map((body, at) => link.sendLarge(Dispatch.response, 8, 9, at, body));
        await turns(60);
        await Promise.all(sends);
        const { intake, frames, owned, budget, counters } = intakeOf();
        const parts = port.frames;
        for (let left = parts.length; left > 0; left--) {
          const [part] = parts.splice(Math.floor(random() * parts.length), 1);
          if (part !== undefined) intake.take(part);
        }
        assert.equal(frames.length, bodies.length);
        assert.ok(owned.every((isOwned) => isOwned));
        const head = new FrameHead();
        for (const frame of frames) {
          assert.ok(head.read(frame));
          assert.equal(head.dispatch, Dispatch.response);
          assert.deepEqual([head.callLow, head.callHigh, head.channelHigh], [8, 9, 4]);
          assert.deepEqual(frame.subarray(FRAME_BYTES), bodies[head.item]);
        }
        assert.equal(budget.bytes, 0);
        assert.equal(intake.joining, 0);
        assert.equal(counters.joins_finished_total, bodies.length);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("FrameIntake tells frames of one call apart by item, dispatch and origin", () => {
  const { intake, frames } = intakeOf();
  const kinds = [
    { item: 1 },
    { item: 2 },
    { item: 1, dispatch: Dispatch.requestChunk },
    { item: 1, originLow: 77 },
  ];
  for (const offset of [0, 10]) {
    for (const kind of kinds) intake.take(fragmentOf({ ...kind, total: 20, offset, length: 10 }));
  }
  assert.equal(frames.length, kinds.length);
});

Deno.test("FrameIntake refuses parts that do not fit together, and all that follows", () => {
  const wrong = [
    // Some of it came before.
    { total: 100, offset: 10, length: 20 },
    { total: 100, offset: 0, length: 10 },
    { total: 100, offset: 5, length: 1 },
    // Another whole.
    { total: 101, offset: 50, length: 10 },
  ];
  for (const second of wrong) {
    const { intake, frames, refused, budget, counters } = intakeOf();
    intake.take(fragmentOf({ total: 100, offset: 0, length: 20 }));
    intake.take(fragmentOf(second));
    assert.deepEqual(refused.map(({ reason }) => reason), ["malformed"]);
    assert.equal(budget.bytes, 0);
    intake.take(fragmentOf({ total: 100, offset: 0, length: 100 }));
    assert.equal(frames.length, 0);
    assert.equal(counters.drop_fragment_refused_total, 1);
    assert.equal(refused.length, 1);
  }
});

Deno.test("FrameIntake drops fragments that are none", () => {
  const { intake, frames, refused, counters } = intakeOf();
  const whole = fragmentOf({ total: 20, offset: 0, length: 10 });
  for (let length = 1; length < FRAME_BYTES + 12; length++) intake.take(whole.slice(0, length));
  intake.take(fragmentOf({ total: 20, offset: 15, length: 10 }));
  intake.take(fragmentOf({ total: 20, offset: 5, length: 0 }));
  intake.take(fragmentOf({ total: 20, offset: 0, length: 10, dispatch: Dispatch.fragment }));
  assert.equal(counters.drop_fragment_malformed_total, counters.fragments_received_total);
  assert.deepEqual([frames.length, refused.length, intake.joining], [0, 0, 0]);
});

Deno.test("FrameIntake survives any bytes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 40 }), (all) => {
      const { intake, budget } = intakeOf({ bytesMax: 100_000 });
      for (const bytes of all) {
        if (bytes.length > 0) bytes[0] = Dispatch.fragment;
        intake.take(bytes);
      }
      assert.ok(budget.bytes <= 100_000);
      intake.end();
      assert.equal(budget.bytes, 0);
    }),
  );
});

Deno.test("FrameIntake claims no more memory than a peer may, and than all may", () => {
  const { intake, refused, budget } = intakeOf({ bytesPerPeerMax: 1_000, bytesMax: 1_500 });
  intake.take(fragmentOf({ call: 1, total: 900, offset: 0, length: 10 }));
  intake.take(fragmentOf({ call: 2, total: 200, offset: 0, length: 10 }));
  assert.deepEqual(refused.map(({ callLow, reason }) => [callLow, reason]), [[2, "budget"]]);
  assert.ok((refused[0]?.retryAfterMs ?? 0) > 0);
  assert.ok(budget.claim(99n, 600) && !budget.claim(98n, 100));
  budget.release(99n, 600);
  intake.end();
  assert.deepEqual([budget.bytes, budget.bytesOf(PEER)], [0, 0]);
});

Deno.test("FrameIntake joins so many frames at a time", () => {
  const { intake, refused, frames } = intakeOf();
  for (let call = 0; call <= JOINS_MAX; call++) {
    intake.take(fragmentOf({ call, total: 20, offset: 0, length: 10 }));
  }
  assert.deepEqual(refused.map(({ callLow, reason }) => [callLow, reason]), [[
    JOINS_MAX,
    "budget",
  ]]);
  intake.take(fragmentOf({ call: 3, total: 20, offset: 10, length: 10 }));
  assert.equal(frames.length, 1);
  intake.end();
});

Deno.test("FrameIntake refuses what is too large, before it takes memory for it", () => {
  const { intake, refused, budget } = intakeOf();
  for (const total of [FRAME_BODY_BYTES_MAX + 1, 0xffff_ffff]) {
    intake.take(fragmentOf({ call: total, total, offset: 0, length: 10 }));
  }
  assert.deepEqual(refused.map(({ reason }) => reason), ["too_large", "too_large"]);
  assert.equal(budget.bytes, 0);
});

Deno.test("FrameIntake refuses a frame in more pieces than it keeps track of", () => {
  const { intake, refused } = intakeOf();
  for (let part = 0; part <= JOIN_RUNS_MAX; part++) {
    intake.take(fragmentOf({ total: 10_000, offset: 2 * part, length: 1 }));
  }
  assert.deepEqual(refused.map(({ reason }) => reason), ["malformed"]);
});

Deno.test("FrameIntake gives up frames of which nothing comes any more", async () => {
  const { intake, refused, budget, clock } = intakeOf();
  intake.take(fragmentOf({ call: 1, total: 20, offset: 0, length: 10 }));
  intake.take(fragmentOf({ call: 2, total: 200, offset: 0, length: 10 }));
  for (let part = 1; part < 10; part++) {
    await clock.advance(JOIN_IDLE_MS / 3);
    intake.take(fragmentOf({ call: 2, total: 200, offset: 10 * part, length: 10 }));
  }
  assert.deepEqual(refused.map(({ callLow, reason }) => [callLow, reason]), [[1, "late"]]);
  await clock.advance(JOIN_IDLE_MS + JOIN_SWEEP_MS);
  assert.equal(refused.length, 2);
  assert.equal(budget.bytes, 0);
});

Deno.test("FrameIntake forgets what its sender gave up, and parts that come later", () => {
  const { intake, frames, refused, budget, counters } = intakeOf();
  intake.take(fragmentOf({ total: 20, offset: 0, length: 10 }));
  intake.take(fragmentOf({ total: 0, offset: 0, length: 0 }));
  intake.take(fragmentOf({ total: 20, offset: 10, length: 10 }));
  assert.deepEqual([frames.length, refused.length, budget.bytes], [0, 0, 0]);
  assert.equal(counters.joins_abandoned_total, 1);
  assert.equal(counters.drop_fragment_refused_total, 1);
  for (let call = 0; call < 2 * REFUSED_FRAMES_MAX; call++) {
    intake.take(fragmentOf({ call, total: 0, offset: 0, length: 0 }));
  }
  intake.take(fragmentOf({ call: 0, total: 10, offset: 0, length: 10 }));
  assert.equal(frames.length, 1);
});
