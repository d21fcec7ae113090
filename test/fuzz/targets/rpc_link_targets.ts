/** Fragments of frames from a hostile peer: what is joined, what memory is claimed, what is remembered. */
import assert from "node:assert/strict";
import {
  createLinkCounters,
  Dispatch,
  FRAME_BYTES,
  FrameIntake,
  JoinBudget,
  writeFragmentHead,
  writeFrameHead,
} from "../../../src/rpc/mod.ts";
import { JOINS_MAX } from "../../../src/rpc/link/limits.ts";
import { HeapClock } from "../../sim/heap_clock.ts";
import type { CreateTarget } from "../fuzz.ts";

const ROUTE = { originLow: 1, originHigh: 2, channelLow: 3, channelHigh: 4 };
/** Small, so that it is used up now and then. */
const BUDGET_BYTES = 1_000_000;
const STEP_MS = 500;

function fragment(call: number, item: number, total: number, offset: number, length: number) {
  const bytes = new Uint8Array(FRAME_BYTES + 12 + length);
  const at = writeFrameHead(bytes, 0, Dispatch.fragment, ROUTE, call, 0, item);
  bytes.fill(7, writeFragmentHead(bytes, at, Dispatch.request, total, offset));
  return bytes;
}

const createJoins: CreateTarget = () => {
  const clock = new HeapClock();
  const budget = new JoinBudget({ bytesMax: BUDGET_BYTES, bytesPerPeerMax: BUDGET_BYTES });
  const counters = createLinkCounters();
  let got = 0;
  let joined = 0;
  const intake = new FrameIntake({
    clock,
    budget,
    counters,
    onFrame: (bytes, isOwned) => {
      got += bytes.length;
      if (isOwned) joined += 1;
      assert.ok(!isOwned || bytes[0] !== Dispatch.fragment);
    },
    onRefused: () => {},
  }, 1n);
  return {
    corpus: [
      fragment(1, 0, 40, 0, 20),
      fragment(1, 0, 40, 20, 20),
      fragment(2, 3, 9, 0, 9),
      fragment(2, 3, 0, 0, 0),
      fragment(3, 0, 600_000, 0, 1),
      Uint8Array.of(Dispatch.response, 0, 0, 0),
    ],
    feed: (bytes) => {
      const before = got;
      intake.take(bytes);
      assert.ok(budget.bytes <= BUDGET_BYTES && intake.joining <= JOINS_MAX);
      return got > before ? true : undefined;
    },
    settle: async () => {
      await clock.advance(STEP_MS);
      const ended = counters.joins_finished_total + counters.joins_abandoned_total +
        counters.drop_join_late_total;
      // Parts that do not fit together end a join as well.
      assert.ok(counters.joins_started_total - intake.joining >= ended);
      assert.equal(counters.joins_finished_total, joined);
    },
    stop: () => {
      intake.end();
      assert.equal(budget.bytes, 0);
    },
  };
};

/** Targets of this file. */
export const RPC_LINK_TARGETS: Readonly<Record<string, CreateTarget>> = {
  "rpc joins": createJoins,
};
