import assert from "node:assert/strict";
import fc from "fast-check";
import type { Clock } from "../../../src/base/mod.ts";
import {
  type CortexAdapter,
  CortexError,
  decodeCortexSnapshot,
  decodeEvent,
  encodeCortexSnapshot,
  encodeEvent,
  FoldDecodeError,
  type FoldModel,
  openCortex,
  SET_ASIDE_KEPT_MAX,
} from "../../../src/state/mod.ts";
import { createBench, ORIGIN, settle } from "./harness.ts";
import { ADD, amount, BREAK, SUM_MODEL, type Sums } from "./sum_model.ts";

Deno.test("openCortex() folds what the log has before it resolves", async () => {
  const { open, write } = createBench();
  for (let i = 0; i < 2_000; i++) write("a", 1);
  await using fold = await open();
  assert.equal(fold.state.get("a"), 2_000);
  assert.deepEqual([fold.foldedSeq, fold.appliedSeq], [1_999n, 1_999n]);
  assert.equal(fold.isRunning, true);
});

Deno.test("openCortex() leaves room for other work while it folds, however slow the model", async () => {
  for (const eventMs of [0.01, 1, 20]) {
    const { redex, clock, write } = createBench();
    for (let i = 0; i < 3_000; i++) write("a", 1);
    let now = 0;
    let worked = 0;
    let longest = 0;
    const slow: FoldModel<Sums> = {
      ...SUM_MODEL,
      apply: (sums, event) => {
        now += eventMs;
        worked += eventMs;
        return SUM_MODEL.apply(sums, event);
      },
    };
    const busy: Clock = {
      wallMs: () => clock.wallMs(),
      now: () => now,
      soon: (action) => {
        longest = Math.max(longest, worked);
        worked = 0;
        queueMicrotask(action);
      },
      after: () => () => {},
    };
    await using fold = await openCortex({ redex, clock: busy }, slow, { origin: ORIGIN });
    assert.equal(fold.state.get("a"), 3_000);
    assert.ok(longest <= Math.max(32, 8 * eventMs), `${longest} ms of ${eventMs} each`);
  }
});

Deno.test("openCortex() follows what others append", async () => {
  const { open, write } = createBench();
  await using fold = await open();
  assert.equal(fold.appliedSeq, undefined);
  write("a", 2);
  write("b", 3);
  await settle();
  assert.deepEqual([...fold.state], [["a", 2], ["b", 3]]);
});

Deno.test("an append is in the state when it returns", async () => {
  const { open, metrics } = createBench();
  await using fold = await open();
  assert.deepEqual(fold.append(ADD, amount("a", 2)), { origin: ORIGIN, seq: 0n });
  assert.equal(fold.state.get("a"), 2);
  const last = fold.appendBatch([
    { dispatch: ADD, tail: amount("a", 1) },
    { dispatch: ADD, tail: amount("b", 1) },
  ]);
  assert.deepEqual(last, { origin: ORIGIN, seq: 2n });
  assert.deepEqual([...fold.state], [["a", 3], ["b", 1]]);
  assert.equal(fold.appendBatch([]), undefined);
  await settle();
  assert.deepEqual([...fold.state], [["a", 3], ["b", 1]]);
  assert.equal(metrics.foldedTotal, 3);
});

Deno.test("what a model appends while it folds comes behind, once", async () => {
  const { redex, clock } = createBench();
  const folds: CortexAdapter<Sums>[] = [];
  const echoing: FoldModel<Sums> = {
    ...SUM_MODEL,
    apply: (sums, event) => {
      if (event.tail[0] === 0x61 && event.appSeq < 2n) folds[0]?.append(ADD, amount("b", 1));
      return SUM_MODEL.apply(sums, event);
    },
  };
  await using fold = await openCortex({ redex, clock }, echoing, { origin: ORIGIN });
  folds.push(fold);
  fold.append(ADD, amount("a", 1));
  fold.append(ADD, amount("a", 1));
  await settle();
  assert.deepEqual([...fold.state], [["a", 2], ["b", 1]]);
  assert.equal(fold.appliedSeq, 2n);
});

Deno.test("an append behind an event of another writer is folded behind it", async () => {
  const { open, write } = createBench();
  await using fold = await open();
  write("a", 5);
  const token = fold.append(ADD, amount("a", 1));
  assert.equal(fold.pollToken(token), false);
  await fold.waitForToken(token, 100);
  assert.equal(fold.state.get("a"), 6);
});

Deno.test("events and appends of any mix are folded once, in the log's order", async () => {
  const step = fc.record({
    isOurs: fc.boolean(),
    name: fc.constantFrom("a", "b"),
    value: fc.integer({ min: 1, max: 9 }),
    isPaused: fc.boolean(),
  });
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const { open, write } = createBench();
    await using fold = await open();
    const expected = new Map<string, number>();
    for (const { isOurs, name, value, isPaused } of steps) {
      expected.set(name, (expected.get(name) ?? 0) + value);
      if (isOurs) fold.append(ADD, amount(name, value));
      else write(name, value);
      if (isPaused) await settle();
    }
    await settle();
    assert.deepEqual([...fold.state], [...expected]);
    const last = steps.length === 0 ? undefined : BigInt(steps.length - 1);
    assert.equal(fold.appliedSeq, last);
  }));
});

Deno.test("an event that cannot be read is set aside, and the watermarks pass it", async () => {
  const { open, write, writeRaw, file, lines, clock, metrics } = createBench();
  await using fold = await open();
  write("a", 1);
  file.append(new Uint8Array(23));
  const broken = encodeEvent({ dispatch: ADD, flags: 0, origin: 7n, appSeq: 0n }, amount("a", 1));
  broken[24] = 0x7a;
  file.append(broken);
  writeRaw(ADD, Uint8Array.of(0x61));
  write("a", 1);
  await settle();
  assert.equal(fold.state.get("a"), 2);
  assert.deepEqual([fold.foldedSeq, fold.appliedSeq, fold.setAsideTotal], [4n, 4n, 3]);
  assert.deepEqual(fold.setAside.map(({ seq, dispatch }) => [seq, dispatch]), [
    [1n, undefined],
    [2n, ADD],
    [3n, ADD],
  ]);
  assert.match(fold.setAside[0]?.reason ?? "", /23 bytes, must be at least 24/);
  assert.match(fold.setAside[1]?.reason ?? "", /checksum/);
  assert.match(fold.setAside[2]?.reason ?? "", /tail is short/);
  assert.equal(metrics.setAsideTotal, 3);
  assert.equal(lines.length, 0);
  await clock.advance(1_000);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /warn cortex_events_set_aside channel=test\/sums count=3 seq=1/);
});

Deno.test("of events set aside the newest are kept, and all are counted", async () => {
  const { open, file } = createBench();
  for (let i = 0; i < SET_ASIDE_KEPT_MAX + 10; i++) file.append(new Uint8Array(1));
  await using fold = await open();
  assert.equal(fold.setAside.length, SET_ASIDE_KEPT_MAX);
  assert.equal(fold.setAside[0]?.seq, 10n);
  assert.equal(fold.setAsideTotal, SET_ASIDE_KEPT_MAX + 10);
});

Deno.test("an event of an unknown kind changes nothing and counts as applied", async () => {
  const { open, writeRaw } = createBench();
  await using fold = await open();
  writeRaw(0x77, Uint8Array.of(1));
  await settle();
  assert.deepEqual([fold.appliedSeq, fold.setAsideTotal, fold.state.size], [0n, 0, 0]);
});

Deno.test("a model that fails otherwise stops the fold and says why", async () => {
  const { open, write, writeRaw, lines, metrics } = createBench();
  await using fold = await open();
  let told = 0;
  fold.onChange(() => {
    told += 1;
  });
  write("a", 1);
  writeRaw(BREAK, new Uint8Array(0));
  write("a", 1);
  await settle();
  assert.equal(fold.isRunning, false);
  assert.equal(fold.failure, "event 1 with dispatch 129: model failed: out of order");
  assert.deepEqual([fold.foldedSeq, fold.appliedSeq], [1n, 0n]);
  assert.equal(fold.state.get("a"), 1);
  assert.ok(told >= 1);
  assert.match(lines.join("\n"), /error cortex_fold_stopped/);
  assert.equal(metrics.haltsTotal, 1);
  await assert.rejects(fold.waitForSeq(1n, 100), { kind: "stopped" });
  await fold.waitForSeq(0n, 0);
  // The log takes appends: who mends the model folds them later.
  assert.deepEqual(fold.append(ADD, amount("a", 1)), { origin: ORIGIN, seq: 3n });
  assert.equal(fold.state.get("a"), 1);
});

Deno.test("a log with an event that its model breaks on opens halted", async () => {
  const { open, writeRaw } = createBench();
  writeRaw(BREAK, new Uint8Array(0));
  await using fold = await open();
  assert.deepEqual([fold.isRunning, fold.foldedSeq, fold.appliedSeq], [false, 0n, undefined]);
});

Deno.test("with the policy to go on, what a model fails on is set aside", async () => {
  const { open, write, writeRaw } = createBench();
  writeRaw(BREAK, new Uint8Array(0));
  await using fold = await open({ errorPolicy: "continue" });
  write("a", 1);
  await settle();
  assert.equal(fold.isRunning, true);
  assert.equal(fold.appliedSeq, 1n);
  assert.match(fold.setAside[0]?.reason ?? "", /^model failed: out of order/);
});

Deno.test("a damaged record is set aside", async () => {
  const { open, write, file } = createBench();
  for (let i = 0; i < 4; i++) write("a", 1);
  file.damage(1n);
  file.damage(2n);
  await using fold = await open();
  assert.equal(fold.state.get("a"), 2);
  assert.deepEqual(fold.setAside.map(({ seq }) => seq), [1n, 2n]);
  assert.equal(fold.appliedSeq, 3n);
});

Deno.test("events that retention took unseen stop the fold", async () => {
  const { open, write, file } = createBench();
  await using fold = await open();
  write("a", 1);
  await settle();
  for (let i = 0; i < 5; i++) write("a", 1);
  file.trim(4n);
  await settle();
  assert.equal(fold.failure, "retention removed events 1 to 3 before they were folded");
  assert.deepEqual([fold.appliedSeq, fold.missedTotal], [0n, 3]);
});

Deno.test("with the policy to go on, events that retention took are counted and reported", async () => {
  const { open, write, file, lines, metrics } = createBench();
  await using fold = await open({ errorPolicy: "continue" });
  for (let i = 0; i < 5; i++) write("a", 1);
  file.trim(3n);
  await settle();
  assert.deepEqual([fold.state.get("a"), fold.missedTotal, metrics.missedTotal], [2, 3, 3]);
  assert.equal(fold.appliedSeq, 4n);
  assert.match(lines.join("\n"), /warn cortex_events_missed .*from=0 to=2 count=3/);
});

Deno.test("a log with limits is folded from the first event that it keeps", async () => {
  const { open, write, file } = createBench();
  for (let i = 0; i < 5; i++) write("a", 1);
  file.trim(3n);
  await using fold = await open();
  assert.deepEqual([fold.state.get("a"), fold.missedTotal, fold.isRunning], [2, 0, true]);
});

Deno.test("a fold may start at the log's end, or at an event", async () => {
  const { open, write } = createBench();
  for (let i = 0; i < 5; i++) write("a", 1);
  await using live = await open({ start: "live" });
  await using late = await open({ start: 3n });
  write("b", 1);
  await settle();
  assert.deepEqual([...live.state], [["b", 1]]);
  assert.deepEqual([...late.state], [["a", 2], ["b", 1]]);
});

Deno.test("the writer's count goes on above all that the log has of it", async () => {
  const { open, write, file, writeRaw } = createBench();
  const appSeqOf = (seq: bigint) => {
    const decoded = decodeEvent(file.read(seq)?.payload ?? new Uint8Array(0));
    assert.ok(decoded.ok);
    return decoded.event.appSeq;
  };
  write("a", 1, ORIGIN, 7n);
  write("a", 1, 0x99n, 50n);
  await using first = await open();
  assert.equal(appSeqOf(first.append(ADD, amount("a", 1)).seq), 8n);
  // Undecodable events of ours count, the largest number does not.
  writeRaw(ADD, new Uint8Array(0), ORIGIN, 100n);
  writeRaw(ADD, amount("a", 1), ORIGIN, 2n ** 64n - 1n);
  await settle();
  assert.equal(appSeqOf(first.append(ADD, amount("a", 1)).seq), 101n);
  // Halves of the number carry over.
  writeRaw(ADD, amount("a", 1), ORIGIN, 2n ** 32n - 1n);
  await settle();
  assert.equal(appSeqOf(first.append(ADD, amount("a", 1)).seq), 2n ** 32n);
});

Deno.test("close() stops folding and leaves the log and the state", async () => {
  const { open, write, file } = createBench();
  const fold = await open();
  fold.append(ADD, amount("a", 1));
  await fold.close();
  await fold.close();
  write("a", 1);
  await settle();
  assert.equal(fold.state.get("a"), 1);
  assert.equal(fold.isRunning, false);
  assert.equal(fold.failure, undefined);
  assert.equal(file.isClosed, false);
  assert.throws(() => fold.append(ADD, amount("a", 1)), {
    kind: "closed",
    message: "adapter closed",
  });
  assert.equal(fold.snapshot().lastSeq, 0n);
});

Deno.test("a log that is closed, or cannot be read, stops the fold", async () => {
  const bench = createBench();
  await using fold = await bench.open();
  await bench.file.close();
  await settle();
  assert.equal(fold.failure, "the log was closed");
  const other = createBench();
  await using failing = await other.open();
  other.file.readError = new Error("input/output error");
  other.write("a", 1);
  await settle();
  assert.equal(failing.failure, "the log cannot be read: input/output error");
});

Deno.test("a log that cannot be read does not open", async () => {
  const { open, write, file } = createBench();
  write("a", 1);
  file.readError = new Error("input/output error");
  await assert.rejects(open(), /input\/output error/);
});

Deno.test("an append that the log refuses leaves the state and the count as they were", async () => {
  const { open, file } = createBench();
  await using fold = await open();
  file.append = () => {
    throw new Error("no space");
  };
  assert.throws(() => fold.append(ADD, amount("a", 1)), /no space/);
  Reflect.deleteProperty(file, "append");
  assert.equal(fold.state.size, 0);
  fold.append(ADD, amount("a", 1));
  const decoded = decodeEvent(file.read(0n)?.payload ?? new Uint8Array(0));
  assert.ok(decoded.ok);
  assert.equal(decoded.event.appSeq, 0n);
  assert.throws(() => fold.append(256, new Uint8Array(0)), RangeError);
});

Deno.test("a fold tells what is on the device", async () => {
  const { open } = createBench();
  await using fold = await open();
  fold.append(ADD, amount("a", 1));
  assert.equal(fold.persistedSeq, 0n);
  await fold.sync();
  assert.equal(fold.persistedSeq, 1n);
});

Deno.test("a snapshot goes on behind its last event", async () => {
  const { open, write } = createBench();
  for (let i = 0; i < 4; i++) write("a", 1);
  const first = await open();
  first.append(ADD, amount("b", 1));
  const snapshot = first.snapshot();
  assert.equal(snapshot.lastSeq, 4n);
  assert.equal(decodeCortexSnapshot(snapshot.bytes).appSeq, 1n);
  await first.close();
  write("a", 1);
  await using second = await open({ snapshot });
  assert.deepEqual([...second.state], [["a", 5], ["b", 1]]);
  await second.waitForSeq(2n, 0);
});

Deno.test("a snapshot on an empty or shorter log takes new writes at once, and waits are true", async () => {
  const old = createBench();
  for (let i = 0; i < 4; i++) old.write("a", 1);
  const before = await old.open();
  const snapshot = before.snapshot();
  await before.close();
  for (const kept of [0, 2]) {
    const { open, write, lines } = createBench();
    for (let i = 0; i < kept; i++) write("a", 1);
    await using fold = await open({ snapshot });
    assert.match(lines.join("\n"), new RegExp(`info cortex_log_moved_on .*from=${kept} to=4`));
    assert.equal(fold.state.get("a"), 4);
    await fold.waitForSeq(3n, 0);
    await assert.rejects(fold.waitForSeq(4n, 0), { kind: "timeout" });
    const token = fold.append(ADD, amount("a", 1));
    assert.equal(token.seq, 4n);
    await fold.waitForToken(token, 0);
    assert.equal(fold.state.get("a"), 5);
    write("a", 1);
    await settle();
    assert.equal(fold.state.get("a"), 6);
    // Opened again with the same snapshot it is the same state.
    await using again = await open({ snapshot });
    assert.equal(again.state.get("a"), 6);
  }
});

Deno.test("a snapshot from before the events that the log has stops the fold, or counts them", async () => {
  const { open, write, file } = createBench();
  write("a", 1);
  const before = await open();
  const snapshot = before.snapshot();
  await before.close();
  for (let i = 0; i < 5; i++) write("a", 1);
  file.trim(3n);
  await using halted = await open({ snapshot });
  assert.match(halted.failure ?? "", /retention removed events 1 to 2/);
  await using going = await open({ snapshot, errorPolicy: "continue" });
  assert.deepEqual([going.state.get("a"), going.missedTotal], [4, 2]);
});

Deno.test("a snapshot of nothing starts at the beginning", async () => {
  const { open, write } = createBench();
  const bytes = encodeCortexSnapshot({
    appSeq: 9n,
    inner: new TextEncoder().encode("[]"),
  });
  write("a", 1);
  await using fold = await open({ snapshot: { bytes, lastSeq: undefined } });
  assert.equal(fold.state.get("a"), 1);
  assert.equal(decodeCortexSnapshot(fold.snapshot().bytes).appSeq, 9n);
});

Deno.test("a snapshot that cannot be is refused", async () => {
  const { open } = createBench();
  const bytes = encodeCortexSnapshot({ appSeq: 0n, inner: new TextEncoder().encode("[]") });
  for (const lastSeq of [2n ** 64n - 1n, 2n ** 53n - 1n]) {
    await assert.rejects(
      open({ snapshot: { bytes, lastSeq } }),
      (error) => error instanceof CortexError && error.kind === "snapshot",
    );
  }
  for (const wrong of [new Uint8Array(0), Uint8Array.of(1, 9, 1), bytes.subarray(0, 2)]) {
    await assert.rejects(open({ snapshot: { bytes: wrong, lastSeq: 1n } }), FoldDecodeError);
  }
  await assert.rejects(open({ snapshot: { bytes, lastSeq: 1n }, start: 0n }), RangeError);
  await assert.rejects(open({ origin: -1n }), RangeError);
});

Deno.test("openCortex() ends when its signal says so", async () => {
  const { open, write } = createBench();
  for (let i = 0; i < 2_000; i++) write("a", 1);
  const reason = new Error("enough");
  await assert.rejects(open({ signal: AbortSignal.abort(reason) }), reason);
});
