/** Decoders of causal state, and the receiver that events of peers go through. */

import assert from "node:assert/strict";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import {
  CausalChain,
  CausalReceiver,
  decodeCausalLink,
  decodeCauses,
  decodeContinuityProof,
  decodeEventFrames,
  decodeForkRecord,
  decodeStateSnapshot,
  encodeCausalLink,
  encodeCauses,
  encodeContinuityProof,
  encodeEventFrames,
  encodeForkRecord,
  encodeStateSnapshot,
  forkEntity,
} from "../../../src/state/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import type { FuzzRandom } from "../fuzz_random.ts";

const OWNER = createIdentity(new Uint8Array(32).fill(7));
/** Links are four bigints out of 32 bytes, events with hardly a payload are nothing else. */
const RICH = { factor: 16, base: 2_048 };

function eventsOf(origin: bigint, count: number) {
  const chain = new CausalChain(origin);
  return Array.from(
    { length: count },
    (_, index) => chain.append(new Uint8Array(index % 5), BigInt(index)),
  );
}

/** What a decoder accepts, its encoder gives back to the byte. */
function exact<T>(
  corpus: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => T | undefined,
  encode: (value: T) => Uint8Array,
): FuzzTarget {
  return {
    corpus,
    growth: RICH,
    feed: (bytes) => {
      const value = decode(bytes);
      if (value !== undefined) assertSame(encode(value), bytes);
      return value;
    },
  };
}

const linkTarget = () =>
  exact(
    eventsOf(5n, 3).map(({ link }) => encodeCausalLink(link)),
    decodeCausalLink,
    encodeCausalLink,
  );

const causesTarget = () =>
  exact(
    [new Map(), new Map([[1n, 2n]]), new Map([[1n, 2n], [3n, 4n], [5n << 50n, 6n]])]
      .map(encodeCauses),
    decodeCauses,
    encodeCauses,
  );

const proofTarget = () =>
  exact(
    [{ origin: 1n, fromSequence: 2n, toSequence: 3n, fromHash: 4n, toHash: 5n }]
      .map(encodeContinuityProof),
    decodeContinuityProof,
    encodeContinuityProof,
  );

const forkTarget = () =>
  exact(
    [undefined, 3n].map((snapshotSequence) =>
      encodeForkRecord(
        forkEntity({ originalOrigin: 1n, forkedOrigin: 2n, forkSequence: 5n, snapshotSequence })
          .record,
      )
    ),
    decodeForkRecord,
    encodeForkRecord,
  );

function snapshotTarget(): FuzzTarget {
  const { link } = new CausalChain(OWNER.originHash).append(new Uint8Array());
  const corpus = [undefined, new Uint8Array(209).fill(1)].flatMap((envelope) =>
    [0, 7, 100].map((length) =>
      encodeStateSnapshot({
        entityId: OWNER.entityId,
        link,
        createdAtNs: 1n << 60n,
        state: new Uint8Array(length),
        bindings: new Uint8Array(length >> 1),
        envelope,
      })
    )
  );
  return exact(
    corpus,
    (bytes) => {
      const decoded = decodeStateSnapshot(bytes);
      return decoded.ok ? decoded.snapshot : undefined;
    },
    encodeStateSnapshot,
  );
}

function framesTarget(): FuzzTarget {
  return {
    corpus: [1, 3, 9].map((count) => encodeEventFrames(eventsOf(5n, count))),
    growth: RICH,
    feed: (bytes, random) => {
      const decoded = decodeEventFrames(bytes, random.below(12));
      const again = encodeEventFrames(decoded.events);
      assertSame(again, bytes.subarray(0, decoded.bytesRead));
      return decoded.events.length > 0 ? decoded.events : undefined;
    },
  };
}

/** A receiver that lives on: everything it gets is accounted for, within its bounds. */
function receiverTarget(): FuzzTarget {
  const bounds = { originsMax: 8, heldMax: 40, heldPerOriginMax: 20, heldBytesMax: 4_000 };
  let receiver = new CausalReceiver({ strangers: "genesis", ...bounds, patienceMs: 50 });
  let nowMs = 0;
  const chains = [1n, 2n, 3n].map((origin) => eventsOf(origin, 30));
  const corpus = chains.flatMap((events) =>
    events.map((_, index) => encodeEventFrames(events.slice(index, index + 3)))
  );
  return {
    corpus,
    growth: { factor: 64, base: 65_536 },
    feed: (bytes, random) => {
      nowMs += random.below(20);
      const count = 1 + random.below(4);
      const received = random.below(2) === 0
        ? [receiver.receiveFrames(bytes, count, nowMs)]
        : decodeEventFrames(bytes, count).events.map((event) =>
          receiver.receive(event, nowMs, drawCauses(random))
        );
      received.push(receiver.expire(nowMs));
      if (random.below(50) === 0) received.push(receiver.unfollow(BigInt(random.below(5)), nowMs));
      const { received: total, handedOn, held, heldBytes, origins, drops } = receiver.stat();
      const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0);
      assert.equal(total, handedOn + held + dropped);
      assert.ok(held <= bounds.heldMax && heldBytes <= bounds.heldBytesMax);
      assert.ok(origins <= bounds.originsMax);
      assert.equal(held > 0, receiver.nextDeadlineMs !== undefined);
      if (random.below(100) === 0) {
        receiver = new CausalReceiver({ strangers: "genesis", ...bounds, patienceMs: 50 });
      }
      return received.some(({ items }) => items.length > 0) ? received : undefined;
    },
  };
}

/** Causes that may come, and some that never will. */
function drawCauses(random: FuzzRandom): ReadonlyMap<bigint, bigint> {
  const count = random.below(4);
  return new Map(
    Array.from({ length: count }, () => [BigInt(random.below(6)), BigInt(random.below(40))]),
  );
}

/** Targets of this file by name. */
export const CAUSAL_TARGETS: Readonly<Record<string, CreateTarget>> = {
  causal_link: linkTarget,
  causal_frames: framesTarget,
  causal_causes: causesTarget,
  causal_receiver: receiverTarget,
  state_snapshot: snapshotTarget,
  continuity_proof: proofTarget,
  fork_record: forkTarget,
};
