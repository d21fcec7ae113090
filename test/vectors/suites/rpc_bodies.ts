/** Fragments of nRPC frames (docs/rpc-bodies.md). */
import assert from "node:assert/strict";
import { joinHalves } from "../../../src/base/mod.ts";
import {
  createLinkCounters,
  Dispatch,
  FragmentBody,
  FRAME_BYTES,
  FrameHead,
  FrameIntake,
  JoinBudget,
  writeFragmentHead,
  writeFrameHead,
} from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  hexBytes,
  integerOf,
  listOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Cases of `docs/vectors/rpc_bodies.json`. */
export const RPC_BODIES_SUITE: VectorSuite = () => ({
  fragments: checkFragment,
  malformed: checkMalformed,
  joined: checkJoined,
});

function checkFragment(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const part = bytesOf(vector, "part");
  const head = new FrameHead();
  const fragment = new FragmentBody();
  assert.ok(head.read(bytes) && fragment.read(bytes, FRAME_BYTES));
  assert.equal(head.dispatch, Dispatch.fragment);
  assert.equal(hexOf(head.originLow, head.originHigh), textOf(vector, "origin"));
  assert.equal(hexOf(head.callLow, head.callHigh), textOf(vector, "call_id"));
  assert.equal(hexOf(head.channelLow, head.channelHigh), textOf(vector, "route"));
  assert.equal(head.item, Number(integerOf(vector, "item")));
  assert.equal(fragment.dispatch, Number(integerOf(vector, "dispatch")));
  assert.equal(fragment.total, Number(integerOf(vector, "total")));
  assert.equal(fragment.offset, Number(integerOf(vector, "offset")));
  assert.deepEqual(bytes.subarray(fragment.partAt), part);
  const written = new Uint8Array(bytes.length);
  const { originLow, originHigh, channelLow, channelHigh, callLow, callHigh, item } = head;
  const route = { originLow, originHigh, channelLow, channelHigh };
  const at = writeFrameHead(written, 0, Dispatch.fragment, route, callLow, callHigh, item);
  const { dispatch, total, offset } = fragment;
  written.set(part, writeFragmentHead(written, at, dispatch, total, offset));
  assert.deepEqual(written, bytes);
}

function checkMalformed(vector: VectorObject): void {
  const { frames, refused, counters } = join([bytesOf(vector, "bytes")]);
  assert.deepEqual([frames, refused], [[], []]);
  assert.equal(counters.drop_fragment_malformed_total, 1);
}

function checkJoined(vector: VectorObject): void {
  const texts = (name: string) => listOf(vector, name).map((value) => String(value));
  const events = listOf(vector, "events").map((value) => hexBytes(value, "event"));
  const { frames, refused } = join(events);
  assert.deepEqual(frames, texts("frames"));
  assert.deepEqual(refused, texts("refused"));
}

/** What a receiver makes of events. */
function join(events: readonly Uint8Array[]) {
  const frames: string[] = [];
  const refused: string[] = [];
  const counters = createLinkCounters();
  const intake = new FrameIntake({
    clock: new ManualClock(),
    budget: new JoinBudget(),
    counters,
    onFrame: (bytes) => void frames.push(bytes.toHex()),
    onRefused: ({ reason }) => void refused.push(reason),
  }, 1n);
  for (const event of events) intake.take(event);
  intake.end();
  return { frames, refused, counters };
}

function hexOf(low: number, high: number): string {
  return joinHalves(low, high).toString(16).padStart(16, "0");
}
