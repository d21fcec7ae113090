/** Events of folded logs: what cannot be read is set aside, and a fold goes on whatever comes. */
import assert from "node:assert/strict";
import { silentLog } from "../../../src/observe/mod.ts";
import { AppCounter } from "../../../src/state/cortex/app_counter.ts";
import { Fold } from "../../../src/state/cortex/fold.ts";
import {
  CortexMetrics,
  createTaskEvent,
  createTaskModel,
  decodeCortexSnapshot,
  decodeEvent,
  decodePlainValue,
  encodeCortexSnapshot,
  encodeEvent,
  encodePlainValue,
  FoldDecodeError,
  SET_ASIDE_KEPT_MAX,
} from "../../../src/state/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(23);
const OWN = 5n;

function events(): Uint8Array[] {
  return Array.from({ length: 16 }, (_, i) => {
    const { dispatch, tail } = createTaskEvent(random.u64(), `task ${i}`, random.u64());
    const origin = i % 2 === 0 ? OWN : random.u64();
    return encodeEvent({ dispatch, flags: i % 4, origin, appSeq: BigInt(i) }, tail);
  });
}

function eventTarget(): FuzzTarget {
  return {
    corpus: events(),
    feed: (bytes) => {
      const decoded = decodeEvent(bytes);
      if (!decoded.ok) return undefined;
      const { tail, checksumVersion, ...meta } = decoded.event;
      // Two bytes mean nothing, and old checksums are not written any more.
      if (checksumVersion === 1) return decoded.event;
      bytes[2] = bytes[3] = 0;
      assertSame(encodeEvent(meta, tail), bytes);
      return decoded.event;
    },
  };
}

/** One fold that takes all of it; most inputs come with a checksum that is right. */
function foldTarget(): FuzzTarget {
  const clock = new ManualClock();
  const metrics = new CortexMetrics();
  const counter = new AppCounter(OWN);
  const model = createTaskModel();
  const create = () =>
    new Fold({ clock, log: silentLog, metrics, counter }, model, "stop", {
      state: model.create(),
      next: 0,
      applied: undefined,
    });
  let fold = create();
  let seq = 0;
  return {
    corpus: events(),
    growth: { factor: 64, base: 4_096 },
    feed: (bytes, random) => {
      const isMended = bytes.length >= 24 && random.below(4) > 0;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const payload = isMended
        ? encodeEvent({
          dispatch: bytes[0] ?? 0,
          flags: bytes[1] ?? 0,
          origin: view.getBigUint64(4, true),
          appSeq: view.getBigUint64(12, true),
        }, bytes.subarray(24))
        : bytes;
      // Now and then numbers are missing.
      seq += random.below(8) === 0 ? 3 : 1;
      const [setAside, version] = [fold.setAside.total, fold.version];
      fold.take([{ kind: "event", seq: BigInt(seq), payload, timeNs: 0n }]);
      assert.equal(fold.failure, undefined);
      assert.equal(fold.applied, seq);
      assert.equal(fold.folded, seq);
      assert.ok(fold.setAside.kept.length <= SET_ASIDE_KEPT_MAX);
      return fold.setAside.total > setAside || fold.version === version ? undefined : payload;
    },
    settle: async () => {
      await clock.advance(1_000);
      // Rows are kept for good: what grows with the inputs is not a leak.
      fold = create();
      seq = 0;
    },
  };
}

function snapshotTarget(): FuzzTarget {
  return {
    corpus: Array.from(
      { length: 8 },
      (_, i) => encodeCortexSnapshot({ appSeq: random.u64(), inner: random.bytes(i * 5) }),
    ),
    feed: (bytes) => unlessRefused(() => decodeCortexSnapshot(bytes)),
  };
}

function plainValueTarget(): FuzzTarget {
  const values = [
    { balances: new Map([["a", 1n]]), frozen: new Set(["b"]), at: new Date(5) },
    [1, -0, NaN, null, undefined, "text", Uint8Array.of(1, 2)],
    { $map: { $bigint: "5" } },
  ];
  return {
    corpus: values.map(encodePlainValue),
    growth: { factor: 128, base: 4_096 },
    feed: (bytes) =>
      unlessRefused(() => {
        const value = decodePlainValue(bytes);
        assert.deepEqual(decodePlainValue(encodePlainValue(value)), value);
        return { value };
      }),
  };
}

function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FoldDecodeError) return undefined;
    throw error;
  }
}

/** Targets of this file by name. */
export const CORTEX_TARGETS: Readonly<Record<string, CreateTarget>> = {
  cortex_event: eventTarget,
  cortex_fold: foldTarget,
  cortex_snapshot: snapshotTarget,
  cortex_plain_value: plainValueTarget,
};
