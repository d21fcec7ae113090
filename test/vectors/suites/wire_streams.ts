/** The receiving side of reliable streams. */

import assert from "node:assert/strict";
import { joinHalves } from "../../../src/base/mod.ts";
import {
  type Acceptance,
  ReceiveState,
} from "../../../src/core/transport/streams/receive_state.ts";
import type { VectorSuite } from "../suite.ts";
import {
  has,
  integer,
  integerOf,
  listOf,
  numberOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const WIRE_STREAM_SUITES: Readonly<Record<string, VectorSuite>> = {
  "wire/reliable_receiver.json": () => ({ vectors: checkReceiver }),
};

/** The window the reference gives a stream nobody asked another one for. */
const WINDOW_BYTES = 65_536;

function checkReceiver(vector: VectorObject): void {
  const state = new ReceiveState({ windowBytes: WINDOW_BYTES, isReliable: true });
  const wireBytes = numberOf(vector, "wire_bytes_each");
  const arrivals = sequencesOf(vector, "arrivals");
  const verdicts: Acceptance[] = [];
  let nack: { readonly nextExpected: bigint; readonly bitmap: bigint } | undefined;
  for (const sequence of arrivals) {
    verdicts.push(state.accept(sequence, wireBytes));
    const missing = state.missing();
    if (missing === undefined) continue;
    // The last one sent counts, and none is sent for an arrival that leaves no gap.
    nack = {
      nextExpected: BigInt(missing.nextExpected),
      bitmap: joinHalves(missing.bitmapLow, missing.bitmapHigh),
    };
  }
  // Without an accepted packet there is no grant to compare with.
  assert.equal(verdicts.includes("accepted"), has(vector, "total_consumed"));
  if (has(vector, "total_consumed")) {
    assert.equal(BigInt(state.totalConsumed), integerOf(vector, "total_consumed"));
    assert.equal(BigInt(state.nextExpected), integerOf(vector, "ack_seq"));
  }
  assert.equal(nack !== undefined, has(vector, "nack"), "a NACK is sent");
  if (nack !== undefined) {
    const expected = recordOf(vector, "nack");
    assert.equal(nack.nextExpected, integerOf(expected, "next_expected"));
    assert.equal(nack.bitmap, integerOf(expected, "missing_bitmap"));
    const hex = nack.bitmap.toString(16).padStart(16, "0");
    if (has(expected, "missing_bitmap_hex")) {
      assert.equal(hex, textOf(expected, "missing_bitmap_hex"));
    }
  }
  checkDelivery(vector, arrivals, verdicts);
}

/**
 * The reference hands up everything in order of arrival; what we refuse we do not hand up, which has no
 * effect on the wire (`wire.md` 7.2). What remains is in order and there once.
 */
function checkDelivery(
  vector: VectorObject,
  arrivals: readonly number[],
  verdicts: readonly Acceptance[],
): void {
  const reference = sequencesOf(vector, "delivered_to_application_in_order");
  assert.deepEqual(reference, arrivals);
  const delivered = reference.filter((_, i) => verdicts[i] === "accepted");
  assert.equal(new Set(delivered).size, delivered.length, "nothing is delivered twice");
  const refused = arrivals.filter((_, i) => verdicts[i] === "duplicate");
  assert.ok(refused.every((sequence) => delivered.includes(sequence)), "a duplicate came before");
}

function sequencesOf(vector: VectorObject, field: string): number[] {
  return listOf(vector, field).map((value) => Number(integer(value, field)));
}
